"""The report stands alone: it parses, its pictures decode, it asks nobody for anything, text stays text."""

import base64
import html.parser
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

from kerazoo.evaluate import charts, classification, classification_report  # noqa: E402
from kerazoo.evaluate.report import Report  # noqa: E402

EVIL = '<script>alert("1")</script> & $x_1$ ünï'
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(html.parser.HTMLParser):
    """Collects pictures and addresses, and checks that every element is closed in order."""

    EMPTY = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.pictures, self.addresses, self.tags, self.open, self.text = [], [], [], [], ""
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "img":
            assert attributes["alt"]
            self.pictures.append(attributes["src"])
        self.addresses += [attributes[name] for name in ("src", "href", "action", "data") if name in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def record():
    rng = np.random.default_rng(0)
    classes = [EVIL, "ship", *map(str, range(9))]
    labels = rng.integers(0, 11, 60)
    evaluation = classification.evaluate(rng.normal(size=(60, 11)) + 2 * np.eye(11)[labels], labels)
    history = [
        {"loss": 1 / i, "val_loss": 1.1 / i, "accuracy": 1 - 0.5 / i, "val_accuracy": 0.9 - 0.4 / i} for i in (1, 2, 3)
    ]
    record = {
        "task": "image_classification",
        "command": "kerazoo run image_classification",
        "dataset": {
            "name": EVIL,
            "classes": classes,
            "train": 1000,
            "validation": 50,
            "test": 60,
            "split": "drawn",
            "source": EVIL,
            "terms": "none",
            "unreadable": [[EVIL, "not an image"]],
            "limited": 60,
        },
        "model": {"name": "lenet5", "input_size": [32, 32]},
        "settings": {"epochs": 3, "augment": ["flip", "crop"], "weights": None},
        "training": {
            "epochs_run": 3,
            "best_epoch": 2,
            "minutes": 1.25,
            "images_per_second": 400.0,
            "pipeline_images_per_second": 20000.0,
            "history": history,
        },
        "test": evaluation.record(classes),
        "baselines": [{"name": "nearest class mean", "accuracy": 0.5, "fitted_on": 1000, "seconds": 0.1}],
        "published": {"score": 0.9, "of": "somebody"},
        "exports": [
            {
                "form": "tflite_int8",
                "folder": "saved_models/x/1",
                "file": "model_int8.tflite",
                "bytes": 70000,
                "accuracy": 0.5,
                "max_relative_difference": 0.01,
                "same_answers": 0.98,
                "latency_ms": None,
            }
        ],
        "environment": {"keras": "3"},
        "minutes": 2.0,
    }
    return record, evaluation


@pytest.fixture(scope="module")
def page(record):
    pixels = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3)).astype("uint8")
    return classification_report.page(*record, pictures=lambda positions: pixels[positions]).html()


def test_the_page_parses_and_shows_what_matters(page):
    parsed = Page(page)
    for heading in ("Learning curves", "Where it errs", "The most confident mistakes", "Exported files", "Speed"):
        assert heading in parsed.text
    assert "nearest class mean" in parsed.text and "not an image" in parsed.text
    assert "No score of this run counts" in parsed.text


def test_text_stays_text(page):
    parsed = Page(page)
    assert "script" not in parsed.tags and parsed.text.count(EVIL) >= 3


def test_every_picture_decodes(page):
    pictures = Page(page).pictures
    assert len(pictures) > 20
    kinds = set()
    for picture in pictures:
        kind, content = re.fullmatch(r"data:image/(svg\+xml|png);base64,(.+)", picture).groups()
        content = base64.b64decode(content, validate=True)
        kinds.add(kind)
        if kind == "png":
            image = Image.open(io.BytesIO(content))
            image.load()
            assert min(image.size) >= 8
        else:
            assert xml.etree.ElementTree.fromstring(content).tag.endswith("svg")
    assert kinds == {"png", "svg+xml"}


def test_the_page_asks_nobody_for_anything(page):
    assert all(address.startswith("data:image/") for address in Page(page).addresses)
    assert not re.search(r"@import|url\(|javascript:", page)
    assert "default-src 'none'" in page


def test_a_picture_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 3)).astype("uint8")
    image = Image.open(io.BytesIO(base64.b64decode(charts.picture(pixels, side=40).partition(",")[2])))
    assert image.size == (40, 32) and np.array_equal(np.asarray(image)[::4, ::4], pixels)


def test_a_table_right_aligns_figures_only():
    report = Report("t")
    report.table(("name", "score"), [("1", "98.2%"), ("b", "n/a")])
    assert report.html().count('class="number"') == 3


def test_summary_is_readable(record):
    text = classification_report.summary(record[0])
    assert "TFLite int8" in text and "nearest class mean" in text and "2.0 minutes" in text
    assert max(map(len, text.splitlines())) < 140


def test_writing_leaves_nothing_half_done(tmp_path, monkeypatch):
    report = Report("t")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        report.write(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_it_renders_in_a_browser(page, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-extensions",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1100,2000",
            f"--screenshot={picture}",
            (tmp_path / "report.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    # White cards on a grey ground, dark text, and the charts' blue: a blank or unstyled page has none.
    assert (pixels.min(axis=2) == 255).mean() > 0.3
    assert (pixels.max(axis=2) < 80).mean() > 0.002
    assert ((pixels[..., 2] > 200) & (pixels[..., 0] < 80)).mean() > 0.005
