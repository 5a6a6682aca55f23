"""Runs conversions in processes of their own: the converters leak memory and can crash."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from kerazoo.json_files import write_json

SCRIPT = Path(__file__).with_name("_convert.py")
POLL = 0.1  # Seconds between two looks at whether a job has ended.
_TAIL = 1500


def run(jobs, folder, *, on_start=None):
    """Runs each job in its own process; one job's crash leaves the others alone.

    Where the system can fork, TensorFlow is imported once, in a process that forks for each job.

    Args:
        jobs: {name: dict for `_convert.py`}.
        folder: where the jobs' files go.
        on_start: called with each job's name when it begins, or None.

    Returns:
        {name: {"seconds", "ops", "float_ops"} or {"error"}}.
    """
    paths = {}
    for name, job in jobs.items():
        paths[name] = Path(folder, f"{name}.job.json")
        write_json(job, paths[name])
    groups = [list(paths.values())] if hasattr(os, "fork") else [[path] for path in paths.values()]
    statuses = {}
    for group in groups:
        told = {path: partial(on_start, name) for name, path in paths.items() if on_start and path in group}
        statuses |= dict.fromkeys(group, _launch(group, Path(folder, "launcher.log"), told))
    return {name: _outcome(path, *statuses[path]) for name, path in paths.items()}


def _launch(paths, log, told):
    """(exit status, log); each of `told`, {path: callable}, is called when its job begins, after the one before it."""
    # A converter has no use for an accelerator, and would take all of its memory.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONWARNINGS": "ignore"}
    # -P: the script's folder, with its onnx.py, must not come first among the places to import from.
    command = [sys.executable, "-P", str(SCRIPT), *map(str, paths)]
    options = {"stdin": subprocess.DEVNULL, "env": os.environ | quiet}
    with open(log, "wb") as stream:
        # A session of its own: its forks end with it where this process is interrupted.
        child = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True, **options)
        try:
            for before, path in zip([None, *paths], told):
                while before and not before.with_suffix(".status").exists() and child.poll() is None:
                    time.sleep(POLL)
                told[path]()
            return child.wait(), log
        finally:
            if child.poll() is None:
                _end(child)


def _end(child):
    if hasattr(os, "killpg"):
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def _outcome(job, launcher_code, launcher_log):
    result, log = job.with_suffix(".result"), job.with_suffix(".log")
    if result.exists():
        return json.loads(result.read_text(encoding="utf-8"))
    status = job.with_suffix(".status")
    code = int(status.read_text()) if status.exists() else launcher_code
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    output = (log if log.exists() else launcher_log).read_text(encoding="utf-8", errors="replace")
    return {"error": f"The converter {how}. Its last words: {output[-_TAIL:].strip() or '(none)'}"}
