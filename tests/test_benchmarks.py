"""Benchmarks: a row for every way, reasons in place of crashes, findings that follow from the rows."""

import argparse
import json

import keras
import pytest

import kerazoo
from kerazoo import benchmarks, throughput

SMALL = {"input_shape": (8, 8, 3), "hidden": (8,), "num_classes": 3}


def test_record_table_and_reasons(monkeypatch):
    from kerazoo.engines import files

    monkeypatch.setattr(files, "find_spec", lambda name: None)  # As if no engine of others were installed.
    ways = ("eager", "predict", "compiled", "xla", "saved_model", "onnx")
    record = kerazoo.benchmark("mlp", batch=(1, 4), engines=ways, seconds=0.05, rounds=2, build_arguments=SMALL)
    assert json.loads(json.dumps(record)) == record | {
        "build_arguments": {**SMALL, "input_shape": [8, 8, 3], "hidden": [8]}
    }
    assert [(row["batch"], row["engine"]) for row in record["inference"]] == [(b, e) for b in (1, 4) for e in ways]
    for row in record["inference"]:
        if row["engine"] == "onnx":
            assert row["error"] == 'not installed: pip install "kerazoo[onnx]"'
        else:
            assert 0 < row["median_ms"] <= row["p90_ms"] and row["per_second"] > 0
    assert record["engine_ranking"] == ["saved_model"]
    assert set(record["xla_speedup"]) == {"batch_1", "batch_4"}
    against = {record["machine"]["device"]: {"float32": False}}
    assert record["xla_faster"] in ({}, against), "inference alone never turns XLA on"
    text = benchmarks.table(record)
    assert "times predict" in text and "not installed" in text


def test_an_engine_that_fails_is_a_row_with_its_reason():
    @keras.saving.register_keras_serializable("test_benchmarks")
    class NoGraph(keras.layers.Layer):
        def call(self, x):
            if not hasattr(x, "numpy") and x.shape[0] is not None:
                raise RuntimeError("eager only")
            return x

    inputs = keras.Input((3,), name="x")
    record = kerazoo.benchmark(
        keras.Model(inputs, NoGraph()(inputs)), batch=1, engines=("eager", "compiled"), seconds=0.02, rounds=1
    )
    eager, compiled = record["inference"]
    assert eager["median_ms"] > 0
    assert "eager only" in compiled["error"] or "RuntimeError" in compiled["error"]


@pytest.mark.parametrize(("off", "on", "faster"), [(100.0, 150.0, True), (100.0, 99.0, False), (100.0, 103.0, False)])
def test_xla_pays_only_beyond_the_noise_and_training_decides(off, on, faster):
    inference = [
        {"engine": "compiled", "batch": 1, "median_ms": 1.0},
        {"engine": "xla", "batch": 1, "median_ms": 9.0},
    ]
    training = [
        {"loop": "fit", "precision": "mixed_bfloat16", "xla": False, "examples_per_second": 100.0},
        {"loop": "fit", "precision": "mixed_bfloat16", "xla": True, "examples_per_second": 300.0},
        {"loop": "fit", "precision": "float32", "xla": False, "examples_per_second": off},
        {"loop": "fit", "precision": "float32", "xla": True, "examples_per_second": on},
        {"loop": "fit", "precision": "float32", "xla": True, "examples_per_second": 0.5 * on},  # The best one counts.
        {"loop": "hand-written", "precision": "float32", "xla": False, "examples_per_second": 1000.0},
    ]
    record = {"machine": {"device": "A chip"}, "inference": inference, "training": training}
    assert benchmarks._findings(record)["xla_faster"] == {"A chip": {"float32": faster, "mixed_bfloat16": True}}


@pytest.mark.parametrize(("xla", "said"), [(0.5, {}), (2.0, {"A chip": {"float32": False}})])
def test_inference_alone_can_only_speak_against_xla(xla, said):
    rows = [{"engine": "compiled", "batch": 8, "median_ms": 1.0}, {"engine": "xla", "batch": 8, "median_ms": xla}]
    assert benchmarks._findings({"machine": {"device": "A chip"}, "inference": rows})["xla_faster"] == said


def test_training_rows(monkeypatch):
    monkeypatch.setattr(throughput, "PRECISIONS", ("float32",))
    monkeypatch.setattr(throughput, "STEPS_PER_EXECUTION", (1, 2))
    rows = throughput.measure("mlp", batch=4, build_arguments=SMALL, steps=2, rounds=1)
    assert [(row["loop"], row.get("xla"), row.get("steps_per_execution")) for row in rows] == [
        ("fit", False, 1),
        ("fit", False, 2),
        ("fit", True, 1),
        ("fit", True, 2),
        ("hand-written", False, None),
    ]
    assert all(row["examples_per_second"] > 0 for row in rows), rows


@pytest.mark.parametrize(("seconds", "turns"), [(0.0, 2), (300.0, 11)])
def test_training_takes_turns_for_as_long_as_was_asked(monkeypatch, seconds, turns):
    epochs, clock = [], iter(range(10**6))
    monkeypatch.setattr(throughput, "_fit", lambda *_: lambda: epochs.append(None))
    monkeypatch.setattr(throughput, "_by_hand", lambda *_: lambda: epochs.append(None))
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(next(clock)))
    ways = len(throughput.measure("mlp", batch=4, rounds=2, seconds=seconds))
    assert len(epochs) == ways * (1 + turns)  # a turn of 14 ways asks the clock 28 times, and once whether to go on


def test_command_line(capsys):
    parser = argparse.ArgumentParser()
    benchmarks.add_arguments(parser)
    arguments = ["mlp", "--batch", "2", "--engines", "eager", "--seconds", "0.02", "--json"]
    arguments += ["--set", "input_shape=(8,8,3)", "--set", "hidden=(8,)"]
    assert benchmarks.run(parser.parse_args(arguments)) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["inference"][0]["batch"] == 2 and record["build_arguments"]["hidden"] == [8]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"engines": ("tflit",)}, "Did you mean 'tflite'"),
        ({"batch": 0}, "positive whole number"),
        ({"batch": ()}, "positive whole number"),
    ],
)
def test_bad_arguments(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        kerazoo.benchmark("mlp", **arguments)


def test_training_needs_a_name():
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match="built by name"):
        kerazoo.benchmark(keras.Model(inputs, keras.layers.Dense(1)(inputs)), train=True)


def test_findings_are_kept_by_device_and_precision():
    known = {"A chip": {"float32": True, "mixed_bfloat16": True}, "B chip": {"float32": True}}
    assert benchmarks._merged(known, {"A chip": {"float32": False}, "C chip": {"float32": True}}) == {
        "A chip": {"float32": False, "mixed_bfloat16": True},
        "B chip": {"float32": True},
        "C chip": {"float32": True},
    }
