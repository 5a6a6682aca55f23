"""A run's report: one HTML file that needs no other, every text escaped."""

import html
import os
from pathlib import Path

STYLE = """
:root { --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --soft: #f5f7fa; --blue: #2563eb; --good: #0f7b5f;
  --bad: #c53030; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--soft); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
header p { color: var(--muted); margin: 4px 0 0; font-size: 17px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 0 0 4px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 22px 24px; margin-top: 20px; }
section > p { color: var(--muted); margin: 0 0 14px; max-width: 90ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px; margin-top: 24px; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
.card b { display: block; font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; }
.card span { color: var(--muted); font-size: 14px; }
.card small { display: block; color: var(--muted); font-size: 13px; margin-top: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
th { text-align: left; color: var(--muted); font-weight: 600; font-size: 13px; border-bottom: 2px solid var(--line); }
th, td { padding: 7px 14px 7px 0; vertical-align: top; }
td { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td:first-child { min-width: 140px; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.strong td { font-weight: 650; }
.scroll { overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start; justify-content: center; }
.figures figure { margin: 0; }
.figures img { max-width: 100%; height: auto; display: block; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 16px 12px; }
.sheet figure { margin: 0; font-size: 13px; line-height: 1.35; }
.sheet img { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--soft); border-radius: 8px;
  image-rendering: pixelated; }
.sheet figcaption { margin-top: 5px; overflow-wrap: anywhere; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 18px 14px; }
.gallery figure { margin: 0; font-size: 13px; line-height: 1.35; color: var(--muted); }
.gallery img { width: 100%; border-radius: 8px; display: block; }
.strips figure { margin: 0 0 14px; font-size: 13px; }
.strips img { width: 100%; display: block; }
.strips figcaption { color: var(--muted); margin-top: 4px; overflow-wrap: anywhere; }
.marked figure { margin: 0 0 12px; padding-bottom: 12px; border-bottom: 1px solid var(--line); }
.marked figcaption { font-size: 13px; color: var(--muted); }
.marked mark { color: inherit; border-radius: 4px; padding: 1px 2px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.note { border-left: 4px solid #ea8a0c; background: #fff8ec; padding: 10px 14px; border-radius: 6px; margin: 0 0 14px; }
code, pre { font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--soft); border-radius: 8px; padding: 12px 14px; overflow-x: auto; margin: 0; }
footer { color: var(--muted); font-size: 13px; margin-top: 24px; }
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""


class Report:
    """Builds the page from top to bottom; every string given to it is text, never markup.

    Example:

    >>> report = Report("Digits", "lenet5, 12 epochs")
    >>> report.cards([("98.6%", "test accuracy", "359 images")])
    >>> with report.section("Scores", "On the same test split."):
    ...     report.table(("classifier", "accuracy"), [("lenet5", "98.6%")])
    >>> report.write("report.html")  # doctest: +SKIP
    """

    def __init__(self, title, subtitle=""):
        self.title = title
        self._parts = [f"<header><h1>{_text(title)}</h1><p>{_text(subtitle)}</p></header>"]

    def cards(self, cards):
        """The figures a reader looks for first: [(figure, what it is, detail)]."""
        inner = "".join(
            f'<div class="card"><b>{_text(figure)}</b><span>{_text(label)}</span><small>{_text(detail)}</small></div>'
            for figure, label, detail in cards
        )
        self._parts.append(f'<div class="cards">{inner}</div>')

    def section(self, heading, lead=""):
        """Opens a section; what is added inside `with` belongs to it."""
        self._parts.append(f"<section><h2>{_text(heading)}</h2>" + (f"<p>{_text(lead)}</p>" if lead else ""))
        return _Closing(self._parts)

    def note(self, text):
        """A sentence that a reader must not miss."""
        self._parts.append(f'<div class="note">{_text(text)}</div>')

    def table(self, head, rows, *, strong=()):
        """A table; columns of figures, but for the first, stand to the right.

        Args:
            head: names of the columns.
            rows: sequences of strings, as long as `head`.
            strong: positions of the rows to emphasise.
        """
        rows = [[str(cell) for cell in row] for row in rows]
        right = [i > 0 and bool(rows) and all(_is_figure(row[i]) for row in rows) for i in range(len(head))]
        classes = [' class="number"' if flag else "" for flag in right]
        top = "".join(f"<th{c}>{_text(name)}</th>" for c, name in zip(classes, head))
        body = "".join(
            ('<tr class="strong">' if position in strong else "<tr>")
            + "".join(f"<td{c}>{_text(cell)}</td>" for c, cell in zip(classes, row))
            + "</tr>"
            for position, row in enumerate(rows)
        )
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def figures(self, *pictures):
        """Charts side by side where there is room: (data address, description) each."""
        inner = "".join(
            f'<figure><img src="{_text(address)}" alt="{_text(words)}"></figure>' for address, words in pictures
        )
        self._parts.append(f'<div class="figures">{inner}</div>')

    def sheet(self, pictures):
        """A contact sheet: (data address, caption, verdict, right) each; right colours the verdict."""
        inner = "".join(
            f'<figure><img src="{_text(address)}" alt="{_text(f"{caption}: {verdict}")}">'
            f'<figcaption>{_text(caption)}<br><span class="{"good" if right else "bad"}">{_text(verdict)}</span>'
            "</figcaption></figure>"
            for address, caption, verdict, right in pictures
        )
        self._parts.append(f'<div class="sheet">{inner}</div>')

    def gallery(self, pictures):
        """Photographs, some to a row: (data address, caption) each."""
        self._captioned("gallery", pictures)

    def strips(self, pictures):
        """Wide pictures, one below the other: (data address, caption) each."""
        self._captioned("strips", pictures)

    def _captioned(self, kind, pictures):
        inner = "".join(
            f'<figure><img src="{_text(address)}" alt="{_text(caption)}">'
            f"<figcaption>{_text(caption)}</figcaption></figure>"
            for address, caption in pictures
        )
        self._parts.append(f'<div class="{kind}">{inner}</div>')

    def marked(self, passages):
        """Texts, one below the other, whose words are coloured: (words, caption, verdict, right) each.

        Words are (word, weight) with weights from -1, red, to 1, blue; right colours the verdict.
        """
        inner = "".join(
            f"<figure>{' '.join(_marked(word, weight) for word, weight in words)}<figcaption>{_text(caption)}"
            f' <span class="{"good" if right else "bad"}">{_text(verdict)}</span></figcaption></figure>'
            for words, caption, verdict, right in passages
        )
        self._parts.append(f'<div class="marked">{inner}</div>')

    def code(self, text):
        """Lines to copy."""
        self._parts.append(f"<pre>{_text(text)}</pre>")

    def html(self):
        """The page."""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            # The page needs nothing from anywhere; a browser is told to fetch nothing.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'\">"
            f"<title>{_text(self.title)}</title><style>{STYLE}</style></head>\n"
            f"<body><main>{chr(10).join(self._parts)}<footer>Written by kerazoo.</footer></main></body></html>\n"
        )

    def write(self, path):
        """Writes the page beside `path` and moves it into place."""
        path = Path(path)
        beside = path.with_name(f".{path.name}.writing")
        try:
            beside.write_text(self.html(), encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return path


class _Closing:
    """Ends a section when its `with` block ends."""

    def __init__(self, parts):
        self.parts = parts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.parts.append("</section>")


def _text(value):
    return html.escape(str(value), quote=True)


def _marked(word, weight):
    color, strength = ("37, 99, 235", weight) if weight > 0 else ("214, 69, 69", -weight)
    if strength < 0.05:  # Not to be seen.
        return _text(word)
    return f'<mark style="background: rgba({color}, {0.55 * min(strength, 1):.2f})">{_text(word)}</mark>'


def _is_figure(cell):
    return not cell or cell[0].isdigit() or cell[0] in "-–+<>≤≥" or cell == "n/a"
