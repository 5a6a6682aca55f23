"""Models that write token for token wherever they run: `one_step`, `export_steps`, `Steps`."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.engines.files import BEGIN, STEP
from kerazoo.engines.steps import Steps
from kerazoo.exporters import parity
from kerazoo.exporters.report import ExportError
from kerazoo.exporters.steps import export_steps
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.generator import Generator
from kerazoo.generation.one_step import named, one_step

WRITERS = ("gpt_nano", "smollm2_135m", "gemma_2b", "char_lstm", "awd_lstm")
TRANSLATORS = ("transformer_tiny", "seq2seq_luong", "pointer_generator", "t5_small", "bart_base")
SOURCE = np.array([[5, 9, 4, 11, 2, 0, 0], [7, 7, 3, 12, 6, 8, 2], [16, 2, 0, 0, 0, 0, 0]], "int32")


def smoke(name, seed=3):
    """A model of any length whose weights are far enough from the initial ones for answers to differ."""
    model = kerazoo.build(name, seed=0, **dict(catalog.entry(name).smoke) | {"length": None})
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(0, 0.4, weight.shape).astype("float32"))
    return model


@pytest.mark.parametrize("name", [*WRITERS, *TRANSLATORS])
def test_steps_give_what_the_whole_model_gives(name):
    model = smoke(name)
    begin, step = one_step(model, length=9, source_length=SOURCE.shape[1])
    tokens = np.random.default_rng(0).integers(3, 20, (3, 9)).astype("int32")
    if name in TRANSLATORS:
        wanted = model({"source": SOURCE, "tokens": tokens}).numpy()
        carried = {name: np.asarray(value) for name, value in begin({"source": SOURCE}).items()}
    else:
        assert begin is None
        wanted = model(tokens).numpy()
        states = {name: tensor for name, tensor in step.input.items() if name.startswith("state_")}
        carried = {name: np.zeros((3, *tensor.shape[1:]), tensor.dtype) for name, tensor in states.items()}
    for position in range(9):
        now = {"tokens": tokens[:, position : position + 1], "position": np.full(3, position, "int32")}
        answers = step(carried | now)
        logits = answers.pop("logits").numpy()
        np.testing.assert_allclose(logits, wanted[:, position], atol=1e-4 * np.abs(wanted).max())
        carried |= {name: np.asarray(value) for name, value in answers.items()}


def test_quantised_steps_are_judged_by_what_they_answer():
    rng = np.random.default_rng(0)
    wanted = {"logits": rng.normal(size=(20, 9)), "state_00": rng.normal(size=(20, 4, 6))}
    off = wanted["state_00"] + 0.3 * rng.normal(size=(20, 4, 6))
    shifted = np.roll(wanted["logits"], 1, axis=1)
    sizes = {"logits": 9, "state_00": 6}
    assert parity.score_outputs(keras.Sequential(), {"output": parity.NEXT_TOKEN}, sizes) == {"logits": "softmax"}
    assert parity.score_outputs(keras.Sequential(), {"output": "vectors"}, sizes) == {}

    def problem(received, quantization):
        kind = ("tflite", quantization)
        return parity.compare(wanted | received, wanted, kind=kind, classifier=True).problem

    assert problem({"state_00": off}, "dynamic") is None
    assert "'state_00' has a relative error" in problem({"state_00": off}, None)
    assert "'logits' has a relative error" in problem({"logits": shifted}, "dynamic")


def test_many_states_keep_their_order_when_their_names_are_sorted():
    for count in (9, 12, 120):
        names = list(named("state_", [[index] for index in range(count)]))
        assert names == sorted(names) and len(names) == count and names[0] in ("state_00", "state_000")


@pytest.mark.parametrize(
    ("name", "quantize"), [("gpt_nano", "dynamic"), pytest.param("char_lstm", None, marks=pytest.mark.slow)]
)
def test_a_language_model_writes_from_its_files(name, quantize, tmp_path):
    model = smoke(name)
    reports = export_steps(
        model,
        tmp_path / "steps",
        length=14,
        formats=("saved_model", "tflite"),
        quantize=quantize,
        prompts=[[3, 4, 9, 2], [17, 11, 8, 30], [7, 45, 3, 3]],
        metadata={"language": "none"},
    )
    assert reports[BEGIN] is None and reports[STEP].path == str(tmp_path / "steps" / "1" / STEP / "1")
    engines = {file.engine for file in reports[STEP].files}
    assert engines == {"saved_model", "tflite"} | ({"tflite_dynamic"} if quantize else set())
    (wanted,) = Generator(model).generate([[3, 4]], tokens=12, temperature=0)
    assert len(set(wanted.tolist())) > 2
    for engine in ("saved_model", "tflite"):
        steps = Steps(tmp_path / "steps", engine=engine)
        assert steps.length == 14 and steps.metadata["language"] == "none"
        assert steps.write([3, 4], tokens=12) == wanted.tolist()
    assert steps.write([3, 4], tokens=12, ends=(int(wanted[2]),))[-1] == wanted[2]
    assert steps.write([3, 4], tokens=3, choose=np.argmin)[0] != wanted[0]
    # Several rows at once, of a file of one row.
    carried = steps.started(rows=2)
    logits, _ = steps([3, 7], 0, carried)
    np.testing.assert_allclose(logits, model(np.array([[3], [7]]))[:, 0], atol=1e-4 * np.abs(logits).max())


@pytest.mark.parametrize("name", [pytest.param("transformer_tiny", marks=pytest.mark.slow), "seq2seq_luong"])
def test_a_translator_writes_from_its_files(name, tmp_path):
    model = smoke(name)
    reports = export_steps(model, tmp_path, length=12, source=SOURCE)
    for part in (BEGIN, STEP):
        assert [file.engine for file in reports[part].files] == ["tflite"] and reports[part].verified
    steps = Steps(tmp_path)
    wanted, _ = BeamSearch(model, end=2, jit_compile=False)([[1]] * 3, SOURCE, tokens=10, beams=1)
    received = [steps.write([1], tokens=10, source=row, ends=(2,)) for row in SOURCE]
    assert [row[: row.index(2)] if 2 in row else row for row in received] == [row.tolist() for row in wanted]
    tokens = np.random.default_rng(0).integers(3, 20, (3, 6)).astype("int32")  # What is likeliest hardly ever changes.
    wanted, carried = model({"source": SOURCE, "tokens": tokens}).numpy(), steps.started(SOURCE)
    for position in range(6):
        logits, carried = steps(tokens[:, position], position, carried)
        np.testing.assert_allclose(logits, wanted[:, position], atol=1e-4 * np.abs(wanted).max())


def test_a_model_under_mixed_precision_is_exported_in_float32(tmp_path):
    model = kerazoo.build("char_lstm", vocabulary_size=20, units=8, precision="mixed_bfloat16")
    report = export_steps(model, tmp_path, length=5)[STEP]
    export_steps(model, tmp_path, length=7)  # A next version; the first one stays.
    assert (Steps(tmp_path / "1").length, Steps(tmp_path).length) == (5, 7)
    assert report.files[0].max_relative_error < 1e-4
    assert {facts.dtype for facts in Steps(tmp_path).step.signature.inputs.values()} == {"int32", "float32"}


def test_clear_errors(tmp_path):
    model, translator = smoke("gpt_nano"), smoke("transformer_tiny")
    for length in (17, 0, 2.5):
        with pytest.raises(ValueError, match=f"`length` must be a positive integer.*positions. Received: {length}, 16"):
            one_step(model, length=length)
    with pytest.raises(ValueError, match=r"`source_length` must say how long.*\{'source': None\}"):
        one_step(translator, length=9)
    with pytest.raises(ValueError, match="`source` must be given for a model that has one. Received: None, for .'sou"):
        export_steps(translator, tmp_path, length=9)
    with pytest.raises(ValueError, match="`source` must be given for a model that has one. Received: array"):
        export_steps(model, tmp_path, length=9, source=SOURCE)
    with pytest.raises(ValueError, match="must have an input 'tokens'"):
        export_steps(kerazoo.build("resnet20"), tmp_path, length=9)
    for prompts in ([3, 4], [[3, 50]], [[1] * 10], [[0.5]], []):
        with pytest.raises(ValueError, match=r"`prompts` must be \(N, at most 9\) ids in \[0, 50\)"):
            export_steps(model, tmp_path, length=9, prompts=prompts)
    with pytest.raises(FileNotFoundError, match="a folder that `export_steps` wrote"):
        Steps(tmp_path)
    assert not list(tmp_path.iterdir())
    export_steps(smoke("char_lstm"), tmp_path, length=6)
    steps = Steps(tmp_path)
    for prompt, tokens in (([], 2), ([1, 2, 3], 4), ([1], 0)):
        with pytest.raises(ValueError, match=f"must fit into 6. Received: {len(prompt)} and {tokens}"):
            steps.write(prompt, tokens=tokens)
    for call in (steps.started, lambda source: steps.write([1], tokens=2, source=source[0])):
        with pytest.raises(ValueError, match="`source` must be given for a model that has one, and for no other"):
            call(source=SOURCE)


def test_nothing_is_left_of_steps_that_differ(tmp_path, monkeypatch):
    """A step that forgets its state: the files are held against the model's own steps, which remember."""
    model = smoke("char_lstm")
    whole = kerazoo.exporters.writing.saved_model.write

    def forgetful(interface, folder, **options):
        inner = interface.model

        def call(inputs):
            zeros = {name: keras.ops.zeros_like(x) if name.startswith("state_") else x for name, x in inputs.items()}
            return inner(zeros)

        other = keras.Model(inner.input, Called(call, inner.output)(inner.input), name=inner.name)
        whole(type(interface)(other), folder, **options)

    monkeypatch.setattr(kerazoo.exporters.writing.saved_model, "write", forgetful)
    with pytest.raises(ExportError, match="does not answer as the model does"):
        export_steps(model, tmp_path / "steps", length=12)
    assert not (tmp_path / "steps").exists()


class Called(keras.layers.Layer):
    def __init__(self, function, output):
        super().__init__()
        self.function, self.given = function, output

    def call(self, inputs):
        return self.function(inputs)

    def compute_output_spec(self, inputs):
        return {name: keras.KerasTensor(tensor.shape, tensor.dtype) for name, tensor in self.given.items()}
