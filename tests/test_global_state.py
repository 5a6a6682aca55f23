"""Nothing that is called leaves a trace in the program's random generators or in Keras's settings."""

import json
import random

import keras
import numpy as np
import pytest
from tensorflow.python.eager import context

import kerazoo
from kerazoo import benchmarks, catalog, cli, global_state

SMALL = {"input_shape": (8, 8, 3), "hidden": (4,), "num_classes": 3}
PRECISION = {"precision": "float32"}


def program():
    """Everything of the program that is compared: settings, and what its generators would draw next."""
    state = {
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "format": keras.config.image_data_format(),
        "epsilon": keras.config.epsilon(),
        "random": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state()],
        "seed": keras.src.utils.rng_utils.get_random_seed(),
        "generator": keras.src.backend.common.global_state.get_global_attribute("global_seed_generator"),
        "uids": dict(keras.src.backend.common.global_state.get_global_attribute("object_name_uids") or {}).keys(),
        "tensorflow": (context.context()._seed, context.context()._rng.getstate()),
        "traceback": keras.config.is_traceback_filtering_enabled(),
    }
    return {name: list(value) if name == "uids" else value for name, value in state.items()}


@pytest.fixture
def changed():
    """A program that has set everything to something that is not the default."""
    with global_state.preserved():
        keras.utils.set_random_seed(77)
        keras.config.set_floatx("float64")
        keras.config.set_epsilon(1e-5)
        keras.config.set_dtype_policy("mixed_bfloat16")
        keras.layers.Dense(1, name=None)  # A name is counted: `clear_session` would count anew.
        random.random()
        np.random.random()
        keras.random.uniform((1,))
        yield
    assert keras.config.floatx() == "float32"


def exported(folder):
    kerazoo.export(kerazoo.build("mlp", seed=0, **PRECISION, **SMALL), folder, formats=("saved_model",))
    return folder


def seeded_run(folder):
    """What an application does to the program, without its training."""
    from kerazoo import runner

    class Application:
        @staticmethod
        def main(argv):
            keras.utils.set_random_seed(0)
            return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "find", lambda task: Application)
        assert kerazoo.run("any") == {}


def trained_benchmark(folder):
    from kerazoo import throughput

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throughput, "PRECISIONS", ("float32",))
        patch.setattr(throughput, "STEPS_PER_EXECUTION", (1,))
        kerazoo.benchmark(
            "mlp", batch=2, engines=("eager",), train=True, seconds=0.001, rounds=1, build_arguments=SMALL | PRECISION
        )


CALLS = {
    "build": lambda folder: kerazoo.build("mlp", seed=0, **SMALL),
    "build, another precision": lambda folder: kerazoo.build("mlp", seed=0, **PRECISION, **SMALL),
    "backbone": lambda folder: kerazoo.backbone("resnet20", seed=0, precision="mixed_float16"),
    "info": lambda folder: kerazoo.info("resnet50"),
    "list_models": lambda folder: kerazoo.list_models(domain="vision"),
    "export": exported,
    "load": lambda folder: kerazoo.load(exported(folder))(np.zeros((1, 8, 8, 3), "float32")),
    "benchmark": lambda folder: kerazoo.benchmark("mlp", batch=1, engines=("eager",), seconds=0.01, rounds=1),
    "verify": lambda folder: kerazoo.verify("mlp", promises=["arguments"]),
    "an error": lambda folder: pytest.raises(ValueError, kerazoo.export, None, folder, formats=("tflit",)),
    "run": lambda folder: pytest.raises(ValueError, kerazoo.run, "image_classification", ["--epochs=0"]),
    "run that seeds": seeded_run,
    "training": trained_benchmark,
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_that_is_called_leaves_a_trace(changed, call, tmp_path):
    before = program()
    CALLS[call](tmp_path / "out")
    after = program()
    assert set(before["uids"]) <= set(after["uids"]), "the session was cleared"
    differing = [name for name in before if name != "uids" and before[name] != after[name]]
    assert not differing


def test_every_public_function_is_called():
    """A new one is added above."""
    public = {name for name in kerazoo.__all__ if name not in ("__version__", "register", "weights")}
    assert public <= {word for call in CALLS for word in call.replace(",", "").split()}


def test_channels_first_is_refused_and_left_alone():
    with global_state.preserved():
        keras.config.set_image_data_format("channels_first")
        kerazoo.info("mlp")
        with pytest.raises(ValueError, match="must be 'channels_last'.*Received: 'channels_first'"):
            kerazoo.build("mlp", seed=0, **SMALL)
        assert keras.config.image_data_format() == "channels_first"
    assert keras.config.image_data_format() == "channels_last"


def test_what_info_hands_out_is_the_callers_own():
    """Editing it, at any depth, changes neither what others are told nor what `build` does."""
    expected = json.dumps(kerazoo.info("resnet50"), sort_keys=True)
    known = kerazoo.info("resnet50")
    known["arguments"]["num_classes"] = 3
    known["arguments"]["depths"][0] = 99
    known["weights"].clear()
    known.get("measured", {}).get("promises", {}).clear()
    assert json.dumps(kerazoo.info("resnet50"), sort_keys=True) == expected
    names = kerazoo.list_models()
    names.clear()
    assert kerazoo.list_models()
    facts = kerazoo.info("mlp")
    facts["task"] = "anything"
    assert "mlp" in kerazoo.list_models(task=catalog.info("mlp")["task"])


def test_the_benchmark_command_reads_its_own_arguments(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["a program", "of another", "--name"])
    monkeypatch.setattr(benchmarks, "benchmark", lambda name, **options: {"model": name, "batch": options["batch"]})
    assert cli.main(["benchmark", "mlp", "--batch", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": "mlp", "batch": [3]}
    monkeypatch.setattr("sys.argv", ["kerazoo", "benchmark"])
    assert cli.main(["list", "lenet5"]) == 0
