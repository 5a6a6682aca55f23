"""The sections that every report ends with: how fast it went, and what it ran on and with."""

from kerazoo.evaluate import charts, text

SHOWN = 200  # Flaws of the data that a report lists.


def speed(report, training, unit):
    """Whether the input pipeline holds the model up.

    Args:
        report: the `Report`.
        training: of the record, with "<unit>_per_second" and "pipeline_<unit>_per_second".
        unit: what is counted, in the plural.
    """
    rows = [
        ("input pipeline alone", training[f"pipeline_{unit}_per_second"]),
        ("training", training[f"{unit}_per_second"]),
    ]
    digits = 0 if min(value for _, value in rows) >= 100 else 1
    with report.section("Speed", text.speed(training, unit)):
        bars = charts.bars(rows, unit=f"{{:,.{digits}f}} {unit}/s", highlight=("training",))
        report.figures((bars, f"{unit} a second"))


def provenance(report, record, about=(), heading="Data, settings, versions"):
    """Where everything comes from.

    Args:
        report: the `Report`.
        record: as in `run.json`.
        about: [(name, words)] of the data.
        heading: the section's.
    """
    settings = [(key.replace("_", " "), text.setting(value)) for key, value in record["settings"].items()]
    versions = ", ".join(f"{key} {value}" for key, value in record["environment"].items())
    with report.section(heading):
        report.table(("", ""), [("command", record["command"]), *about, *settings, ("versions", versions)])


def source(dataset):
    """The rows that begin `about`: the data, its terms and, where it was split, how."""
    split = [("split", dataset["split"])] if "split" in dataset else []
    return [("data", dataset["source"]), ("terms", dataset["terms"]), *split]


def parts(dataset):
    """How much each part holds, in words."""
    return ", ".join(f"{dataset[part]:,} {part}" for part in ("train", "validation", "test"))


def notes(dataset):
    """A row for each thing that the reader of the data repaired or left out."""
    return [("note", note) for note in dataset["notes"]]


def unreadable(report, dataset):
    """The files that were left out, if any."""
    if dataset["unreadable"]:
        with report.section("Files that were left out", f"{len(dataset['unreadable']):,}, each with its reason."):
            report.table(("file", "reason"), dataset["unreadable"][:SHOWN])
