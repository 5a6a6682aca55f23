"""Reports say who wins: the network, a baseline, or neither by as much as is written."""

import importlib
import re
from pathlib import Path

import pytest

from kerazoo.evaluate import (
    classification_report,
    face_report,
    forecast_report,
    segmentation_report,
    stock_report,
    table_report,
)
from kerazoo.evaluate.comparison import verdict

REPORTS = sorted(Path(classification_report.__file__).parent.glob("*_report.py"))
# Report -> (the figure that decides, how far one is ahead, how that is written, a difference too small to be written).
FIGURES = {
    "answer": ("f1", 0.031, "3.1 points of F1", 1e-5),
    "classification": ("accuracy", 0.031, "3.1 points", 1e-5),
    "detection": ("map50", 0.031, "3.1 points at overlap .5", 1e-5),
    "entity": ("f1", 0.031, "3.1 points", 1e-5),
    "language": ("nats", -0.031, "0.031 nats", 1e-5),
    "search": ("mrr", 0.031, "0.031 of mean reciprocal rank", 1e-5),
    "series": ("accuracy", 0.031, "3.1 points", 1e-5),
    "summary": ("rouge_l", 3.1, "3.1 ROUGE-L", 1e-3),
    "text": ("accuracy", 0.031, "3.1 points", 1e-5),
    "translation": ("bleu", 3.1, "3.1 BLEU", 1e-3),
}


def said(report, own, *, best, worst):
    """A report's sentence on these figures of the network and of two baselines."""
    key = FIGURES[report][0]
    baselines = [{"name": "worst", key: worst}, {"name": "best", key: best}]
    record = {"test": {key: own}, "baselines": baselines, "dataset": {"metric": key}}
    return importlib.import_module(f"kerazoo.evaluate.{report}_report")._verdict(record)


@pytest.mark.parametrize("report", FIGURES)
def test_who_wins_and_by_how_much(report):
    _, gap, written, small = FIGURES[report]
    won, lost = (said(report, 0.5 + sign * gap, best=0.5, worst=0.5 - 2 * gap) for sign in (1, -1))
    assert won.endswith(f" beats the best baseline (best) by {written}.")
    assert lost.endswith(f" does not beat the best baseline: best is ahead by {written}.")
    for difference in (0, small, -small):
        level = said(report, 0.5 + difference, best=0.5, worst=0.5 - 2 * gap)
        assert level.endswith(" does not beat the best baseline: best is level with it.")


@pytest.mark.parametrize("own, baselines", [(None, {"a": 0.5}), (0.5, {"a": None}), (0.5, {})])
def test_what_was_not_measured_is_not_compared(own, baselines):
    assert verdict(own, baselines) == "There are no two figures to compare."


def test_faces_and_rand_scores():
    results = [{"name": name, "eer": eer} for name, eer in (("network", 0.2), ("pixels", 0.3), ("eigenfaces", 0.15))]
    sentence = "The network does not beat the best baseline: eigenfaces is ahead by 5.0 points of EER."
    assert face_report._verdict({"results": results}) == sentence
    rand = {"score": 0.9, "threshold": 0.5, "largest": 0.91}
    record = {"rand": rand, "baselines": [{"name": "watershed", "rand_score": 0.95}]}
    assert segmentation_report._rand_said(record).endswith("watershed is ahead by 0.0500 of Rand score.")


def test_errors_that_differ_by_less_than_is_written():
    record = {"test": {"mse": 0.50001}, "baselines": [{"name": "seasonal naive", "mse": 0.5}]}
    assert forecast_report._verdict(record).endswith("seasonal naive is level with it.")
    forecasts = [
        {"name": "lstm", "rmse": 0.02, "information_coefficient": 0.01, "t": 0.1},
        {"name": "zero", "rmse": 0.02},
    ]
    level = {"sharpe": 0.5, "interval": (0, 1), "difference": {"sharpe": 0.0, "interval": (-1, 1)}}
    strategies = [{"name": name, **level} for name in ("buy and hold", "lstm, long")]
    assert "zero is level with it." in stock_report.verdict({"forecasts": forecasts, "strategies": strategies})
    rows = [{"name": "tab_mlp", "auroc": 0.9}, {"name": "logistic regression", "auroc": 0.90001}]
    record = {"folds": [], "scores": {"test": rows}}
    assert table_report.verdict(record, ("auroc", "AUROC")).endswith("are level on the test rows by AUROC.")


RECORD = {
    "task": "a",
    "dataset": {"name": "digits"},
    "model": {"name": "network"},
    "published": [],
    "rand": None,
    "exports": [],
    "training": {"images_per_second": 100.0, "pipeline_images_per_second": 900.0},
    "minutes": 1.0,
}


def test_the_ends_of_image_runs_say_when_a_baseline_wins():
    test = {"count": 40, "accuracy": 0.5, "accuracy_95": (0.4, 0.6), "mean_iou": 0.5, "pixel_accuracy": 0.5}
    test |= {"map50": 0.5, "map": 0.4, "per_class": {}}
    row = {"name": "colours", "accuracy": 0.6, "mean_iou": 0.6, "map50": 0.6, "map": 0.5, "pixel_accuracy": 0.6}
    record = RECORD | {"test": test, "baselines": [row | {"fitted_on": 40}]}
    for report in ("classification", "segmentation", "detection"):
        module = importlib.import_module(f"kerazoo.evaluate.{report}_report")
        told = module.summary(record | ({"published": None} if report == "classification" else {}))
        assert "The network does not beat the best baseline: colours is ahead by 10.0 points" in told


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_every_report_says_who_wins(path):
    source = path.read_text(encoding="utf-8")
    if "def summary(" not in source or path.stem in ("style_report", "transfer_report"):
        return  # No run ends with it; nothing is compared; a classifier's report says it.
    calls = re.findall(r"(?<!def )\b_?(?:verdict|who_leads|winner)\(", source)
    assert len(calls) >= 2, "on the terminal and on the page"
