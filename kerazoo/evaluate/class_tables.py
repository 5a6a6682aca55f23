"""Tables that the reports of classifiers share: class by class, and the exported files."""

from kerazoo.evaluate import text


def classes(test):
    """Rows of precision, recall, F1 and examples of each class.

    Args:
        test: as `Evaluation.record` gives it.
    """
    return [
        (
            name,
            *("n/a" if row[key] is None else f"{row[key]:.1%}" for key in ("precision", "recall", "f1")),
            f"{row['support']:,}",
        )
        for name, row in test["per_class"].items()
    ]


def files(exports, one, *, score="accuracy", label="accuracy"):
    """`(head, rows)` of exported files.

    Args:
        exports: of the record, with "difference", "same_answers" and the score.
        one: what a file answers at a time: "one series".
        score: key of the score.
        label: its name.
    """
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row[score]:.2%}",
            f"{row['difference']:.1e}",
            f"{row['same_answers']:.2%}",
            text.size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in exports
    ]
    return ("file", label, "largest difference", "same answer", "size", one), rows
