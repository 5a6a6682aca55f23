"""Runs promises in processes of their own, so that a crash or a leak is one model's failure."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kerazoo import catalog
from kerazoo.registry import unknown_choice
from kerazoo.verification import plan, sources

TIMEOUT = 2400  # seconds for one process; the slowest family takes a quarter of it on 2 cores


@dataclass
class Report:
    """The outcome of one model: `promises` maps each promise to its status, reason, value and seconds."""

    name: str
    promises: dict = field(default_factory=dict)
    measured_on: str | None = None

    @property
    def failures(self) -> dict:
        """Promise -> reason, of those that do not hold."""
        return {p: outcome["reason"] for p, outcome in self.promises.items() if outcome["status"] == "fail"}

    def regressions(self) -> dict:
        """The failures that the catalog does not know."""
        known = catalog.read()["models"].get(self.name, {}).get("measured", {}).get("promises", {})
        return {p: reason for p, reason in self.failures.items() if known.get(p, {}).get("status") != "fail"}

    def measured(self) -> dict:
        """What the catalog keeps of this report."""
        return {
            "measured_on": self.measured_on,
            "sources": sources.digest(catalog.entry(self.name).module),
            "versions": sources.versions(),
            "promises": self.promises,
        }


def verify(*names, promises=None, jobs=1, on_result=None) -> list[Report]:
    """Verifies models at their smoke size (parameter counts at full size), each in its own process.

    Args:
        *names: names or patterns of `kerazoo.list_models`; none means every registered model.
        promises: the promises to check; None means all.
        jobs: processes at a time.
        on_result: called as `on_result(name, promise, outcome)` with each result as it comes.

    Returns:
        A `Report` for each model.

    Raises:
        ValueError: an unknown model or promise.

    Example:

    >>> import kerazoo
    >>> report, = kerazoo.verify("mlp", promises=["forward"])
    >>> report.promises["forward"]["status"]
    'pass'
    """
    for promise in promises or ():
        if promise not in plan.PROMISES:
            raise ValueError(unknown_choice("promise", promise, plan.PROMISES))
    wanted = [p for p in plan.PROMISES if promises is None or p in promises]
    shared = [p for p in wanted if p not in plan.OWN]
    own = [p for p in wanted if p in plan.OWN]
    chosen = select(names)
    reports = {name: Report(name) for name in chosen}
    lock = threading.Lock()

    def record(members, promise, outcome):
        with lock:
            for name in members:
                reports[name].promises[promise] = outcome
                reports[name].measured_on = members[0] if promise not in plan.OWN else reports[name].measured_on
                if on_result:
                    on_result(name, promise, outcome)

    with ThreadPoolExecutor(jobs) as pool:
        tasks = []
        for members in plan.groups(chosen):
            if shared:
                tasks.append(pool.submit(_run, members[0], shared, lambda p, o, m=members: record(m, p, o)))
            if own:
                tasks += [pool.submit(_run, name, own, lambda p, o, m=(name,): record(m, p, o)) for name in members]
        for task in tasks:
            task.result()
    for report in reports.values():
        report.promises = {p: report.promises[p] for p in wanted}
    return [reports[name] for name in chosen]


def select(patterns) -> list[str]:
    """Registered names that match any of the patterns, each once; all for no pattern."""
    catalog.import_all()
    if not patterns:
        return catalog.list_models()
    chosen = {}
    for pattern in patterns:
        matching = catalog.list_models(pattern)
        if not matching:
            catalog.entry(pattern)  # Raises, with the nearest names.
        chosen.update(dict.fromkeys(matching))
    return list(chosen)


def _run(name, promises, record):
    """Runs promises in one process; where it dies, the promise it was at fails and a new process goes on."""
    waiting = list(promises)
    while waiting:
        outcomes, current, died = _process(name, waiting, record)
        waiting = [p for p in waiting if p not in outcomes]
        if waiting:
            record(current or waiting[0], {"status": "fail", "reason": died})
            waiting.remove(current or waiting[0])


def _process(name, promises, record):
    environment = os.environ | {"PYTHONPATH": _python_path()}
    command = [sys.executable, "-m", "kerazoo.verification.worker", name, *promises]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    timer = threading.Timer(TIMEOUT, process.kill)
    timer.start()
    errors = []
    drain = threading.Thread(target=lambda: errors.extend(process.stderr.readlines()[-400:]))
    drain.start()
    outcomes, current = set(), None
    try:
        for line in process.stdout:
            try:
                message = json.loads(line)
            except ValueError:  # A library printed something of its own.
                continue
            if not isinstance(message, dict) or "promise" not in message:
                continue
            current = message.pop("promise")
            if "starts" not in message:
                outcomes.add(current)
                record(current, message)
    finally:
        process.kill() if sys.exc_info()[0] else None
        code = process.wait()
        drain.join()
        timer.cancel()
    last = next((line.strip() for line in reversed(errors) if line.strip()), "no message")
    if os.environ.get("KERAZOO_VERIFY_TRACE"):
        sys.stderr.writelines(errors)
    return outcomes, current if current not in outcomes else None, f"the process ended with {code}: {last[:300]}"


def _python_path():
    """The folder that this kerazoo was imported from comes first."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
