"""One statement of what is supported, and what reads it: `doctor`, training on several replicas."""

import configparser
import importlib.metadata
import inspect
from pathlib import Path

import pytest

from kerazoo import doctor, versions

CORE = ("keras", "numpy", "packaging", "tensorflow")


def test_the_ranges_are_those_of_setup_cfg():
    config = configparser.ConfigParser()
    config.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")
    stated = [line for line in config["options"]["install_requires"].splitlines() if line]
    assert sorted(versions.supported()) == sorted(CORE)
    for line in stated:
        name = next(name for name in CORE if line.startswith(name))
        assert set(map(str, versions.supported()[name])) == set(line.removeprefix(name).split(","))


def test_without_setup_cfg_the_installed_metadata_count(monkeypatch, tmp_path):
    lines = ["keras<3.16,>=3.15.1", "numpy<2.5,>=2.0", 'pillow>=11; extra == "apps"']
    monkeypatch.setattr(versions, "__file__", str(tmp_path / "kerazoo" / "versions.py"))
    monkeypatch.setattr(versions.importlib.metadata, "requires", lambda name: lines)
    versions.supported.cache_clear()
    try:
        assert sorted(versions.supported()) == ["keras", "numpy"]
        assert versions.is_supported("keras", "3.15.1")
    finally:
        versions.supported.cache_clear()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.14.9", False),
        ("3.15.0", False),
        ("3.15.1rc0", False),
        ("3.15.1.dev20260101", False),
        ("3.15.1", True),
        ("3.15.1+local.1", True),
        ("3.15.1.post1", True),
        ("3.15.2rc0", True),
        ("3.15.2.dev1", True),
        ("3.15.99", True),
        ("v3.15.1", True),
        ("3.16.0rc0", False),
        ("3.16", False),
        ("4", False),
        ("nightly", False),
    ],
)
def test_both_ends_of_the_range(monkeypatch, version, expected):
    """`doctor` and the training on several replicas agree on each."""
    monkeypatch.setattr(doctor, "_version", lambda name: version if name == "keras" else None)
    monkeypatch.setattr(versions.importlib.metadata, "version", lambda name: version)
    assert versions.is_supported("keras", version) is expected
    said = [problem for problem in doctor.examine()["problems"] if f"keras {version} " in problem]
    assert len(said) == (not expected)
    assert not said or (">=3.15.1,<3.16" in said[0] and "CVE-2026-1462" in said[0])
    if expected:
        versions.require_supported("keras", "a reason")
    else:
        with pytest.raises(RuntimeError, match=f"A reason, .*keras>=3.15.1,<3.16. Received: keras {version}"):
            versions.require_supported("keras", "a reason")


def test_another_keras_trains_on_one_device_alone(monkeypatch):
    from kerazoo.training.distribution import keras_fit

    monkeypatch.setattr(versions.importlib.metadata, "version", lambda name: "3.99.0")
    with pytest.raises(RuntimeError, match="Received: keras 3.99.0"), keras_fit.for_replicas():
        pass


def test_the_keras_at_hand_has_what_training_on_several_replicas_exchanges():
    """Holds for every version of the range: names and signatures of Keras's private functions."""
    from keras.src.backend.tensorflow import trainer

    from kerazoo.training.distribution import keras_fit

    assert versions.is_supported("keras", importlib.metadata.version("keras"))
    owners = {trainer: ("reduce_per_replica",)}
    owners[trainer.TensorFlowTrainer] = ("_maybe_symbolic_build", "make_test_function", "make_predict_function")
    before = {(owner, name): inspect.signature(getattr(owner, name)) for owner in owners for name in owners[owner]}
    assert "distribute_strategy" in inspect.signature(trainer.TFEpochIterator.__init__).parameters
    with keras_fit.for_replicas():
        for (owner, name), signature in before.items():
            assert list(inspect.signature(getattr(owner, name)).parameters) == list(signature.parameters)
