"""Figures and tables as words, alike on every report and terminal."""

FORMS = {
    "keras": "Keras",
    "saved_model": "SavedModel",
    "tflite": "TFLite float32",
    "tflite_float16": "TFLite float16",
    "tflite_dynamic": "TFLite 8-bit weights",
    "tflite_int8": "TFLite int8",
    "onnx": "ONNX",
}


def size(count):
    """Bytes in KiB or MiB."""
    return f"{count / 1024:,.0f} KiB" if count < 2**20 else f"{count / 2**20:,.1f} MiB"


def setting(value):
    """A value of a run's settings."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def columns(head, rows):
    """Lines of a table; the first column stands to the left, figures to the right."""
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]

    def line(row):
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width) if i < len(row) - 1 or len(row) > 3 else cell
            for i, (cell, width) in enumerate(zip(row[1:], widths[1:]), 1)
        ]
        return "  " + "  ".join(cells).rstrip()

    return [line(row) for row in table if any(row)]


def speed(training, unit):
    """Whether the input pipeline holds the model up, with both figures."""
    fed, trained = training[f"pipeline_{unit}_per_second"], training[f"{unit}_per_second"]
    if fed >= 1.5 * trained:
        verdict = "The input pipeline does not hold the model up"
    else:
        verdict = "The run is bound by its input pipeline"
    return f"{verdict}: it alone gives {fed:,.0f} {unit}/s, training takes {trained:,.0f}."


def exported(rows, score, name, unit):
    """`(head, rows)` of the exported files of a model from one text to another, for `columns` or a report's table.

    Args:
        rows: as in the record.
        score: the key of what the SavedModel's `raw` reached; others have None.
        name: of that score.
        unit: what a text is made of, in the singular.
    """
    head = ("file", f"{name} of `raw`", f"nats by a {unit}", "largest difference", "size", "one pass")
    return head, [
        (
            FORMS.get(row["form"], row["form"]),
            "n/a" if row.get(score) is None else f"{row[score]:.1f}",
            f"{row['nats']:.4f}",
            f"{row['difference']:.1e}",
            size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in rows
    ]


def export_folder(record):
    """The folder of a run's exported files, for a line of code to copy; where all were left out, a name for it."""
    return next((row["folder"] for row in record["exports"]), "the export's folder")
