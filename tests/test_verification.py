"""The checks can fail: each promise is broken on purpose and must be seen to be."""

import json
import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from kerazoo import registry
from kerazoo.verification import plan, promises, verify
from kerazoo.verification.runner import Report
from kerazoo.verification.sources import digest
from kerazoo.verification.subject import Broken, NotApplicable, Subject, relative_error, relative_step_error, within


def _sample(rng, batch):
    return rng.uniform(-1, 1, (batch, 6)).astype("float32"), rng.integers(0, 3, batch)


@keras.saving.register_keras_serializable(package="test_verification")
class Odd(layers.Layer):
    """A layer with the fault that its name says."""

    def __init__(self, fault, **kwargs):
        super().__init__(**kwargs)
        self.fault = fault

    def build(self, shape):
        self.idle = self.add_weight(shape=(1,), name="idle") if self.fault == "idle weight" else None
        self.drawn = self.add_weight(shape=(1,), initializer="random_normal", name="w", trainable=False)

    def call(self, x, training=None):
        if self.fault == "training by default":
            return x if training is False else x * 2.0
        if self.fault == "constant":
            return x * 0.0 + 1.0
        if self.fault == "not finite":
            return x / 0.0
        if self.fault == "faint":
            return x * 1e-4
        if self.fault == "overflow":
            return x * 1e6 if self.compute_dtype == "float16" else x
        return x

    def get_config(self):
        forgets = self.fault == "forgets its setting"
        return super().get_config() | {"fault": "training by default" if forgets else self.fault}


@pytest.fixture
def subject(monkeypatch):
    """A factory of subjects: a small model with one fault, registered for the test only."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry.registered()))

    def make(fault=None, params=None, head="float32", compiled=True):
        def toy(*, fault=fault, name="toy"):
            x = features = keras.Input((6,), name="features")
            x = layers.Dense(16, activation="relu", name="hidden")(x)
            x = Odd(fault, name="odd")(x)
            model = keras.Model(features, layers.Dense(3, dtype=head, name="logits")(x), name=name)
            if compiled:
                loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
                model.compile(keras.optimizers.Adam(0.01), loss)
            return model

        facts = {"domain": "test", "task": "test", "sample": _sample}
        registry.register(**facts, variants={"toy": {"params": params}})(toy)
        return Subject("toy")

    return make


SOUND = ["compiled", "forward", "gradients", "learns", "responds", "inference_mode", "keras_roundtrip", "xla"]
SOUND += ["mixed_bfloat16", "mixed_float16"]


@pytest.mark.parametrize("promise", SOUND)
def test_a_sound_model_keeps_them(subject, promise):
    getattr(promises, promise)(subject())


@pytest.mark.parametrize(
    ("promise", "fault"),
    [
        ("gradients", "idle weight"),
        ("gradients", "constant"),
        ("inference_mode", "training by default"),
        ("keras_roundtrip", "forgets its setting"),
        ("responds", "constant"),
        ("learns", "constant"),
        ("forward", "not finite"),
        ("mixed_float16", "overflow"),
    ],
)
def test_a_fault_is_seen(subject, promise, fault):
    with pytest.raises(Broken):
        getattr(promises, promise)(subject(fault))


def test_more_faults_are_seen(subject, monkeypatch):
    with pytest.raises(Broken, match="outputs .'float16'."):
        promises.mixed_float16(subject(head=None))
    monkeypatch.setattr(registry, "_ENTRIES", {})
    with pytest.raises(Broken, match="163 in place of 164"):
        promises.parameters(subject(params=164))
    monkeypatch.setattr(registry, "_ENTRIES", {})
    with pytest.raises(NotApplicable):
        promises.parameters(subject())
    with pytest.raises(Broken, match="not documented: fault, name, Shapes:"):
        promises.arguments(Subject("toy"))


def test_xla_fault_is_seen(subject, monkeypatch):
    """A step that differs by five per cent under XLA."""
    one = subject()
    build, calls = one.build, []

    def skewed(**overrides):
        model = build(**overrides)
        calls.append(model)
        if len(calls) == 6:  # The trained one, one for the epsilons, three eager steps, the XLA step.
            model.optimizer.learning_rate = 1.05 * promises.STEP_RATE
        return model

    monkeypatch.setattr(one, "build", skewed)
    with pytest.raises(Broken, match="relative error 5.0"):
        promises.xla(one)


def test_a_step_that_leaves_most_weights_alone_is_seen(subject, monkeypatch):
    """Of the weights whose gradients are ten thousand times smaller than the largest, none moves."""
    step = promises._step

    def lazy(*arguments, **options):
        changes = step(*arguments, **options)
        if options.get("run_eagerly"):
            return changes
        largest = max(np.abs(change).max() for change in changes)
        return [change * (np.abs(change).max() == largest) for change in changes]

    one = subject("faint")
    assert promises._step_error(one, {"jit_compile": False}) < 1e-4
    monkeypatch.setattr(promises, "_step", lazy)
    assert promises._step_error(one, {"jit_compile": False}) == pytest.approx(1, abs=0.01)
    with pytest.raises(Broken, match="relative error 9.99e-01"):
        promises.xla(one)


def test_another_metric_or_optimizer_after_a_round_trip_is_seen(subject, monkeypatch):
    one = subject()
    promises._same_compilation(one)
    loads = promises._saved_and_loaded
    for match, compiled in (
        ("optimizer", {"optimizer": keras.optimizers.SGD(0.01)}),
        ("losses and metrics", {"metrics": ["accuracy"]}),
        ("relative error", {"loss": keras.losses.SparseCategoricalCrossentropy()}),
    ):

        def other(subject, model, compiled=compiled):
            loaded = loads(subject, model)
            loaded.compile(**({"optimizer": loaded.optimizer, "loss": loaded.loss} | compiled))
            return loaded

        monkeypatch.setattr(promises, "_saved_and_loaded", other)
        with pytest.raises(Broken, match=match):
            promises._same_compilation(one)


def test_relative_step_error_takes_each_weight_by_itself():
    expected = [np.array([100.0, -3.0]), np.array([0.01])]
    off = [expected[0], np.array([0.0101])]
    assert relative_step_error(off, expected, [expected]) == pytest.approx(0.01, rel=0.2)  # But for the floor.
    noisy = [expected[0], np.array([0.012])]
    with pytest.raises(Broken, match="only 1 of 2 weights move by more than rounding"):
        relative_step_error(off, expected, [expected, noisy])
    many = [expected[0]] * 3
    assert relative_step_error(many + off, many + expected, [many + expected, many + noisy]) == 0.0
    with pytest.raises(Broken, match="not finite"):
        relative_step_error([expected[0], np.array([np.nan])], expected, [expected])


def test_a_deep_network_is_compared_to_its_first_layer(subject, monkeypatch):
    """Batch norms after small weights let nothing fade: a step that leaves the first layer alone is seen."""
    one = subject()

    def deep(**overrides):
        random.seed(0)
        x = features = keras.Input((6,), name="features")
        for _ in range(8):
            x = layers.Dense(16, use_bias=False, kernel_initializer="zeros")(x)  # Moved by 0.02 later.
            x = layers.ReLU()(layers.BatchNormalization()(x))
        model = keras.Model(features, layers.Dense(3)(x))
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), **overrides)
        return model

    monkeypatch.setattr(one, "build", deep)
    assert promises._step_error(one, {"jit_compile": False}) < promises.STEP_TOLERANCE
    step = promises._step

    def lazy(*arguments, **options):
        first, *others = step(*arguments, **options)
        return [first if options.get("run_eagerly") else 0 * first, *others]

    monkeypatch.setattr(promises, "_step", lazy)
    assert promises._step_error(one, {"jit_compile": False}) == pytest.approx(1, abs=0.01)


def test_relative_error_is_strict():
    assert relative_error([np.ones(3)], [np.ones(3)]) == 0
    assert relative_error(np.array([1.0, 10.1]), np.array([1.0, 10.0])) == pytest.approx(0.01)
    with pytest.raises(Broken, match="shape"):
        relative_error(np.ones(3), np.ones(2))
    with pytest.raises(Broken, match="not finite"):
        relative_error(np.array([np.nan]), np.ones(1))
    with pytest.raises(Broken):
        within(float("nan"), 1.0)


CRASHING = """
import os
from kerazoo.models.vision.mlp import mlp
from kerazoo.registry import register

def _sample(rng, batch):
    return rng.uniform(0, 255, (batch, 2, 2, 3)).astype("float32"), rng.integers(0, 4, batch)

@register(domain="vision", task="image_classification", sample=_sample)
def crashing(*, name="crashing"):
    '''Ends the process on its second build.'''
    if os.path.exists({flag!r}):
        os.remove({flag!r})
        os.abort()
    open({flag!r}, "w").close()
    return mlp(input_shape=(2, 2, 3), hidden=(8,), num_classes=4, name=name)
"""


def test_a_crash_is_the_failure_of_one_promise(tmp_path):
    """The process dies in `forward`; that fails by name, and the next promise is still checked."""
    (tmp_path / "crashmodel.py").write_text(CRASHING.format(flag=str(tmp_path / "flag")))
    metadata = tmp_path / "crash-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crash\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[kerazoo.models]\ncrashing = crashmodel\n")
    code = (
        "import kerazoo, json; r, = kerazoo.verify('crashing', promises=['compiled', 'forward', 'mixed_bfloat16']);"
        "print(json.dumps(r.promises))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert outcomes["compiled"]["status"] == "pass"
    assert outcomes["forward"]["status"] == "fail"
    assert "the process ended with -6" in outcomes["forward"]["reason"]
    assert outcomes["mixed_bfloat16"]["status"] == "pass"


def test_only_unknown_failures_are_regressions(monkeypatch):
    from kerazoo import catalog

    known = {"promises": {"onnx": {"status": "fail", "reason": "known"}, "tflite": {"status": "pass"}}}
    monkeypatch.setattr(catalog, "read", lambda: {"models": {"toy": {"measured": known}}})
    failed = {"status": "fail", "reason": "because"}
    report = Report("toy", {"onnx": failed, "tflite": failed, "xla": {"status": "pass"}})
    assert report.regressions() == {"tflite": "because"}


def test_names_of_one_smoke_model_are_verified_once():
    grouped = plan.groups(["resnet18", "resnet34", "resnet50", "lenet5"])
    assert grouped == [["resnet18", "resnet34"], ["resnet50"], ["lenet5"]]


def test_digest_moves_with_what_a_model_imports(tmp_path, monkeypatch):
    package = tmp_path / "digested"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text("from digested import layer\nfrom digested.loss import loss\n")
    (package / "layer.py").write_text("a = 1\n")
    (package / "loss.py").write_text("def loss(): pass\n")
    (package / "other.py").write_text("b = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = digest("digested.model")
    (package / "other.py").write_text("b = 2\n")
    assert digest("digested.model") == before
    (package / "loss.py").write_text("def loss(): return 1\n")
    assert digest("digested.model") != before


def test_digest_is_of_code_alone(tmp_path, monkeypatch):
    package = tmp_path / "commented"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text("def model(a):\n    return [a, f'{a}']\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = digest("commented.model")
    text = '"""A docstring."""\n# A comment.\ndef model(a):\n    "And one."\n    return [\n        a, f"{a}"]\n'
    (package / "model.py").write_text(text)
    assert digest("commented.model") == before
    (package / "model.py").write_text("def model(a):\n    return [a, f'{a} ']\n")
    assert digest("commented.model") != before


def test_unknown_promises_and_models_are_refused():
    with pytest.raises(ValueError, match="Unknown promise. Did you mean 'tflite'"):
        verify("mlp", promises=["tflit"])
    with pytest.raises(ValueError, match="Unknown model. Did you mean 'resnet50'"):
        verify("resnet_50")
