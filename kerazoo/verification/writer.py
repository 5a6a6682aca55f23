"""Writes `catalog.json`: the registry's facts and what was measured."""

import json
import os

from kerazoo import catalog
from kerazoo.registry import registered


def write(reports=(), findings=None, path=catalog.PATH) -> dict:
    """Writes the catalog: every registered model's facts, measurements of `reports` over the ones at hand.

    Args:
        reports: `Report`s; promises that one does not have stay as they were recorded.
        findings: name -> measurements of other kinds to merge in, for instance `{"xla_faster": {"cpu": True}}`.
        path: the catalog file; it is written beside and moved into place.

    Returns:
        The catalog.
    """
    catalog.import_all()
    before = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else {}
    models = {}
    for name, entry in sorted(registered().items()):
        if not entry.module.startswith("kerazoo."):
            continue
        measured = before.get(name, {}).get("measured", {})
        models[name] = catalog.facts(entry) | ({"measured": measured} if measured else {})
    for report in reports:
        measured = models[report.name].setdefault("measured", {})
        promises = measured.get("promises", {}) | report.promises
        measured.update(report.measured() | {"promises": promises})
    for name, found in (findings or {}).items():
        models[name].setdefault("measured", {}).update(found)
    result = {"models": models}
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(beside, path)
    catalog.read.cache_clear()
    return result


def stale(path=catalog.PATH) -> dict:
    """Name -> why the committed catalog does not say what the registry says; empty where it does."""
    catalog.import_all()
    written = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else {}
    reasons = {}
    for name, entry in registered().items():
        if not entry.module.startswith("kerazoo."):
            continue
        if name not in written:
            reasons[name] = "not in the catalog"
        else:
            said = {key: value for key, value in written[name].items() if key != "measured"}
            differing = [k for k, v in catalog.facts(entry).items() if said.get(k) != v]
            if differing:
                reasons[name] = f"other {', '.join(differing)} than in the registry"
    return reasons | {name: "no longer registered" for name in written if name not in registered()}
