"""Every model of the registry keeps its promises: the same checks as `kerazoo verify`.

What changed since the catalog was written is verified here in full. Of the rest, the catalog's
record is held to be complete, and a sample that moves on each day is verified again: of those that take long, by
`-m slow`.
"""

import datetime
import os

import pytest

from kerazoo import catalog
from kerazoo.verification import plan, promises, verify
from kerazoo.verification.subject import Subject

SAMPLE = int(os.environ.get("KERAZOO_VERIFY_SAMPLE", "2"))
QUICK = 60  # Seconds that the promises of a group took when the catalog was written.

catalog.import_all()
GROUPS = plan.groups(catalog.list_models())
CHANGED = [members for members in GROUPS if any(plan.changed(name) for name in members)]
UNCHANGED = [members for members in GROUPS if members not in CHANGED]


def _seconds(members):
    """What the catalog's record of a group took."""
    measured = catalog.info(members[0])["measured"]["promises"]
    return sum(outcome.get("seconds", 0) for name, outcome in measured.items() if name not in plan.OWN)


def _todays(groups, count):
    """The next groups each day, so that all have their turn."""
    start = datetime.date.today().toordinal() * count
    return [groups[(start + i) % len(groups)] for i in range(min(count, len(groups)))]


def _todays_sample():
    """Quick groups, and a long one on demand."""
    quick = [members for members in UNCHANGED if _seconds(members) <= QUICK]
    long = [members for members in UNCHANGED if members not in quick]
    return _todays(quick, SAMPLE) + [pytest.param(members, marks=pytest.mark.slow) for members in _todays(long, 1)]


@pytest.mark.parametrize("members", CHANGED + _todays_sample(), ids=lambda members: members[0])
def test_promises_hold(members):
    """A failure names the model, the promise and the reason."""
    # Full-size parameter counts of large models stay with the catalog unless their source changed.
    wanted = None if members in CHANGED else [p for p in plan.PROMISES if p not in plan.OWN]
    broken = {report.name: report.regressions() for report in verify(*members, promises=wanted)}
    assert not {name: reasons for name, reasons in broken.items() if reasons}


@pytest.mark.parametrize("name", catalog.list_models())
def test_catalog_records_every_promise(name):
    """Kept, or not applicable with a reason, or a known failure with a reason."""
    if plan.changed(name):
        pytest.skip("its record is out of date: it is verified in full in this run")
    measured = catalog.info(name).get("measured", {}).get("promises", {})
    assert set(measured) == set(plan.PROMISES)
    silent = [p for p, outcome in measured.items() if outcome["status"] != "pass" and not outcome["reason"]]
    assert not silent


def test_arguments_are_documented():
    """Docstrings are no part of what a record depends on, so this promise is checked for every builder here."""
    builders = {catalog.entry(name).builder: name for name in catalog.list_models()}
    for name in builders.values():
        promises.arguments(Subject(name))


@pytest.mark.parametrize("name", catalog.list_models())
def test_published_parameter_count_was_met(name):
    if plan.changed(name):
        pytest.skip("its record is out of date: it is verified in full in this run")
    facts = catalog.info(name)
    outcome = facts["measured"]["promises"]["parameters"]
    # A model too large to be built says so; its count is derived in a test of its own.
    if facts["params"] is None or "parameters" in catalog.entry(name).unsupported:
        assert outcome["status"] == "n/a"
    else:
        assert (outcome["status"], outcome.get("value")) == ("pass", facts["params"])
