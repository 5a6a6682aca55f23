"""The report of a style transfer: before and after, what was optimised, the exported network."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.report import Report

NAMES = {
    "gatys": "The picture itself was optimised (Gatys et al., 2016).",
    "johnson": "A network learnt this one style and gave it in one pass (Johnson et al., 2016).",
    "adain": "A network gave the style of its second picture in one pass (Huang and Belongie, 2017).",
}


def summary(record):
    """How far the picture is from content and style, before and after, and the files."""
    rows = [(name, f"{terms['content']:.3f}", f"{terms['style']:.3f}") for name, terms in record["terms"].items()]
    lines = [f"{record['content']} in the style of {record['style']}: distance by what VGG sees (0 is none):"]
    lines += text.columns(("picture", "from content", "from style"), rows)
    if record["exports"]:
        files = [
            (text.FORMS.get(row["form"], row["form"]), text.size(row["bytes"]), f"{row['max_relative_difference']:.1e}")
            for row in record["exports"]
        ]
        lines += ["", f"Exported to {record['exports'][0]['folder']}, compared on this picture:"]
        lines += text.columns(("file", "size", "largest difference"), files)
    return "\n".join([*lines, "", f"The whole run took {record['minutes']:.1f} minutes."])


def page(record, *, content, style, picture):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        content, style, picture: uint8, (H, W, 3).
    """
    terms, method = record["terms"], record["settings"]["method"]
    report = Report(f"{record['content']} in the style of {record['style']}", NAMES[method])
    before, after = terms["before"], terms["after"]
    gone = 1 - after["style"] / max(before["style"], 1e-12)
    spent = "for this picture" if method == "gatys" else "for every picture to come"
    report.cards(
        [
            (f"{gone:.0%}", "of the way to the style", "distance of the Gram matrices that is gone"),
            (f"{after['content']:.2f}", "distance from the content", "0 is the same, 1 nothing of it"),
            (f"{record['training']['seconds']:,.0f} s", "of optimisation", spent),
        ]
    )
    shown = [(content, record["content"]), (style, record["style"]), (picture, "the content in that style")]
    with report.section("Before and after", "Content, style (cut to the content's size), result."):
        report.figures(*((charts.picture(pixels, side=max(pixels.shape[:2])), words) for pixels, words in shown))
    history = record["training"]["history"]
    counted = "step" if method == "gatys" else "epoch"
    with report.section("The loss", "Its terms as they are weighted, where the picture itself was optimised."):
        report.figures((charts.lines(history, x=counted, y="loss", highlight=("loss",)), "the loss over time"))
    with report.section(
        "By what VGG sees", "Relative squared distances; the variation is the mean step between pixels."
    ):
        report.table(
            ("picture", "from content", "from style", "variation"),
            [(name, *(f"{row[key]:.4f}" for key in ("content", "style", "variation"))) for name, row in terms.items()],
        )
    if record["exports"]:
        lead = "Each file was loaded again and answered this picture; the difference is from the Keras model."
        with report.section("Exported files", lead):
            report.table(
                ("file", "largest difference", "size", "one picture"),
                [
                    (
                        text.FORMS.get(row["form"], row["form"]),
                        f"{row['max_relative_difference']:.1e}",
                        text.size(row["bytes"]),
                        "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.0f} ms",
                    )
                    for row in record["exports"]
                ],
            )
    about = [("trained on", record["pictures"])] if record["pictures"] else []
    report_ends.provenance(report, record, about, heading="Settings, versions")
    return report
