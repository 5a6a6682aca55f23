"""Embeddings that are also the output's matrix: a file's own matrix of the output is refused."""

import importlib
import json
import tempfile
import warnings
import zipfile

import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.weights import load_file
from kerazoo.weights.files import heads
from kerazoo.weights.torch import _wanted, load_tensors

# Model -> (its table of names, further names of the embedding in transformers' files).
TIED = {
    "smollm2_135m": ("llama", ("lm_head.weight",)),
    "gemma_2b": ("gemma", ("lm_head.weight",)),
    "gpt_2": ("gpt", ("lm_head.weight",)),
    "bart_base": ("bart", ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")),
    "t5_small": ("t5", ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")),
}


def smoke(name, **arguments):
    return kerazoo.build(name, jit_compile=False, **(dict(catalog.entry(name).smoke) | arguments))


def names_of(name):
    return importlib.import_module(f"kerazoo.weights.torch_names.{TIED[name][0]}").names


def tensors_of(model, names):
    """The model's weights as transformers names them, drawn again."""
    rng, found = np.random.default_rng(0), {}
    for torch_name, (_, variable, transform) in _wanted(model, names(model, {})).items():
        value = rng.normal(size=variable.shape).astype("float32")
        found[torch_name] = np.ascontiguousarray(value.T) if transform == "dense" else value
    return found


def embedding_of(model, names):
    return next(name for name, (layer, *_) in _wanted(model, names(model, {})).items() if layer == "embedding")


@pytest.fixture(scope="module", params=TIED)
def tied(request):
    """(model, its names, a state dict that fits, the embedding's name)."""
    model, names = smoke(request.param), names_of(request.param)
    return model, names, tensors_of(model, names), embedding_of(model, names), TIED[request.param][1]


def test_the_embedding_under_further_names_is_taken(tied):
    model, names, tensors, embedding, further = tied
    load_tensors(model, tensors | dict.fromkeys(further, tensors[embedding]), names, path="w.pth")
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], tensors[embedding])


@pytest.mark.parametrize("wrong", ["others", "one", "larger", "turned"])
def test_another_matrix_is_refused(tied, wrong):
    model, names, tensors, embedding, further = tied
    matrix = tensors[embedding].copy()
    if wrong == "one":
        matrix[-1, -1] += 1e-3
    matrix = {"others": matrix[::-1], "one": matrix, "larger": np.concatenate([matrix, matrix]), "turned": matrix.T}[
        wrong
    ]
    for name in further:
        before = [weight.tobytes() for weight in model.get_weights()]
        with pytest.raises(ValueError, match=f"w.pth does not fit .*{name} must be equal to its {embedding}"):
            load_tensors(model, tensors | {name: matrix}, names, path="w.pth")
        assert [weight.tobytes() for weight in model.get_weights()] == before


def test_another_vocabulary_is_no_head(tied):
    """A layer that is also used at the input is not left at its initial weights."""
    model, names, tensors, embedding, _ = tied
    before = [weight.tobytes() for weight in model.get_weights()]
    larger = tensors | {embedding: np.concatenate([tensors[embedding]] * 2)}
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match=rf"1 of another shape or type \({embedding}.*Nothing was"),
    ):
        warnings.simplefilter("error", UserWarning)
        load_tensors(model, larger, names, path="w.pth")
    assert [weight.tobytes() for weight in model.get_weights()] == before and "embedding" not in heads(model)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_another_vocabulary_in_keras_files(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    model = smoke("smollm2_135m", vocabulary_size=40)
    model.save_weights(path) if suffix == ".weights.h5" else model.save(path)
    model = smoke("smollm2_135m")
    before = [weight.tobytes() for weight in model.get_weights()]
    with pytest.raises(
        ValueError, match=r"does not fit the model: 1 of another shape.*\(40, 16\) in place of \(50, 16\)"
    ):
        load_file(model, path)
    assert [weight.tobytes() for weight in model.get_weights()] == before
    untied = smoke("smollm2_135m", vocabulary_size=40, tied=False)
    with pytest.raises(ValueError, match="does not fit the model: 1 missing"):
        load_file(untied, path)


def test_an_untied_model_takes_its_own_matrix():
    model = smoke("smollm2_135m", tied=False)
    tensors = tensors_of(model, names_of("smollm2_135m"))
    load_tensors(model, tensors, names_of("smollm2_135m"), path="w.pth")
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[1], tensors["lm_head.weight"].T)
    del tensors["lm_head.weight"]
    with pytest.raises(ValueError, match=r"1 missing \(lm_head.weight\)"):
        load_tensors(model, tensors, names_of("smollm2_135m"), path="w.pth")


def test_heads_are_what_nothing_builds_on():
    assert heads(smoke("resnet18")) == {"logits"}
    assert heads(smoke("yolov8_l")) == {f"{kind}{level}_logits" for kind in ("box", "class") for level in (1, 2, 3)}
    assert heads(smoke("keras_mobilenet_v3_small")) == {"logits"}


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("x.num_batches_tracked", np.array(7), True),
        ("x.num_batches_tracked", np.ones(3), False),
        ("m.dfl.conv.weight", np.arange(16.0).reshape(1, 16, 1, 1), True),
        ("m.dfl.conv.weight", np.ones((1, 16, 1, 1)), False),
        ("h.0.attn.bias", np.tril(np.ones((8, 8)))[None, None], True),
        ("h.0.attn.bias", np.ones((1, 1, 8, 8)), False),
        ("h.0.attn.bias", np.zeros(16), False),
        ("h.0.attn.masked_bias", np.array(-1e4), True),
        ("h.0.attn.masked_bias", np.zeros(16), False),
        ("lm_head.weight", np.zeros((3, 3)), False),
    ],
)
def test_what_is_left_out_is_looked_at(name, value, taken):
    """Under a name that is known for what is no weight, another model may have one."""
    model = kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,), num_classes=3, jit_compile=False)

    def names(model, received):
        return {layer.name: layer.name for layer in model.layers if layer.weights}

    tensors = tensors_of(model, names) | {name: value}
    if taken:
        load_tensors(model, tensors, names, path="w.pth")
    else:
        with pytest.raises(ValueError, match=rf"1 unexpected \({name}\)"):
            load_tensors(model, tensors, names, path="w.pth")


def write_folder(folder, **tensors):
    """A folder of transformers' GPT-2, as `save_pretrained` writes it."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    shapes = {"wte.weight": (11, 8), "wpe.weight": (16, 8), "ln_f.weight": (8,), "ln_f.bias": (8,)}
    shapes |= {f"h.0.{norm}.{part}": (8,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
    for name, sizes in (
        ("attn.c_attn", (8, 24)),
        ("attn.c_proj", (8, 8)),
        ("mlp.c_fc", (8, 32)),
        ("mlp.c_proj", (32, 8)),
    ):
        shapes |= {f"h.0.{name}.weight": sizes, f"h.0.{name}.bias": sizes[1:]}
    found = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()} | tensors
    sizes = {"vocab_size": 11, "n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": 16, "resid_pdrop": 0.0}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", **sizes}), encoding="utf-8")
    save_file(found, folder / "model.safetensors")
    return found


GPT2 = {"vocabulary_size": 11, "context": 16, "width": 8, "depth": 1, "heads": 2, "jit_compile": False}


def test_a_folder_of_transformers(tmp_path):
    """keras-hub reads no matrix of the output for GPT-2, whatever the folder has."""
    pytest.importorskip("keras_hub")
    found = write_folder(tmp_path / "bare")
    write_folder(tmp_path / "same", **{"lm_head.weight": found["wte.weight"]})
    write_folder(tmp_path / "own", **{"lm_head.weight": found["wte.weight"] + 1})
    for name in ("bare", "same"):
        model = kerazoo.build("gpt2_base", weights=tmp_path / name, **GPT2)
        np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], found["wte.weight"])
    with pytest.raises(ValueError, match="own' has an output's matrix of its own .lm_head.weight."):
        kerazoo.build("gpt2_base", weights=tmp_path / "own", **GPT2)
    model = kerazoo.build("gpt2_base", weights=tmp_path / "same" / "model.safetensors", **GPT2)
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], found["wte.weight"])
    with pytest.raises(ValueError, match="lm_head.weight must be equal to its wte.weight"):
        kerazoo.build("gpt2_base", weights=tmp_path / "own" / "model.safetensors", **GPT2)


def test_errors_of_an_archive_name_the_archive(tmp_path):
    pytest.importorskip("keras_hub")
    path = tmp_path / "preset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"model_type": "bert"}))
        archive.writestr("model.safetensors", b"nothing")
    from kerazoo.weights.keras_hub_encoders import load_encoder

    with pytest.raises(ValueError) as caught:
        load_encoder(smoke("mlp"), path, backbone="BertBackbone", pooling=False)
    assert str(path) in str(caught.value) and f"{tempfile.gettempdir()}/tmp" not in str(caught.value)
