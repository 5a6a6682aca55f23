"""What this process runs on: the cores that it may use, and the model of its device."""

import os
from pathlib import Path

import pytest

from kerazoo import doctor, hardware

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to cores")
def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert hardware.cores() == 3
    assert doctor.examine()["cores"] == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_bound_process_has_fewer_cores():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert hardware.cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert hardware.cores() == len(before)


def test_cores_are_counted_in_one_place():
    counted = [
        path.relative_to(ROOT).as_posix()
        for folder in ("kerazoo", "applications")
        for path in (ROOT / folder).rglob("*.py")
        if "cpu_count" in path.read_text(encoding="utf-8")
    ]
    assert counted == ["kerazoo/hardware.py"]


@pytest.mark.parametrize("engine", ["tflite", "onnx"])
def test_engines_take_the_cores_of_the_process(monkeypatch, tmp_path, engine):
    """Unless they are told a number of threads."""
    import kerazoo

    asked = []
    monkeypatch.setattr(hardware, "cores", lambda: asked.append(engine) or 1)
    model = kerazoo.build("mlp", input_shape=(4, 4, 1), hidden=(2,), seed=0)
    if engine == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    path = kerazoo.export(model, tmp_path / "model", formats=(engine,), verify=False).path
    asked.clear()
    kerazoo.load(path, engine=engine)
    assert asked
    asked.clear()
    kerazoo.load(path, engine=engine, threads=2)
    assert not asked


def test_the_device_is_the_gpu_or_else_the_processor(monkeypatch):
    monkeypatch.setattr(hardware, "processor", lambda: "A processor")
    monkeypatch.setattr(hardware, "gpus", lambda: ())
    assert hardware.device() == "A processor"
    monkeypatch.setattr(hardware, "gpus", lambda: ("A GPU", "Another"))
    assert hardware.device() == "A GPU"
