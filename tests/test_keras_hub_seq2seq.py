"""T5 and BART: what is masked, stepping, keras-hub's presets, counts, errors; transformers are in tests/parity."""

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.applications import text_pairs
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.stepper import Stepper
from kerazoo.registry import registered

keras_hub = pytest.importorskip("keras_hub")
NAMES = ("t5_small", "t5_v1_1_small", "bart_base")
PADDING = {"t5_small": 0, "t5_v1_1_small": 0, "bart_base": 1}


def smoke(name, **options):
    return kerazoo.build(name, seed=0, **(dict(catalog.entry(name).smoke) | {"length": None} | options))


def spread(model, seed=0):
    """Gives a model weights that are so far apart that everything in it has an effect."""
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def texts(name, length=8):
    rng = np.random.default_rng(1)
    source, tokens = rng.integers(3, 30, (3, length)).astype("int32"), rng.integers(3, 30, (3, 6)).astype("int32")
    source[1, 5:] = PADDING[name]
    return source, tokens


def hubs(name, **changes):
    """keras-hub's own model of the smoke size."""
    sizes = {"vocabulary_size": 30, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
    if name == "bart_base":
        backbone = keras_hub.models.BartBackbone(**(sizes | {"max_sequence_length": 16, "dropout": 0.0} | changes))
        return spread(keras_hub.models.BartSeq2SeqLM(backbone))
    gated = name == "t5_v1_1_small"
    options = {"key_value_dim": 8, "dropout": 0.0, "use_gated_activation": gated, "tie_embedding_weights": not gated}
    options |= {"activation": "gelu" if gated else "relu"}
    backbone = keras_hub.models.T5Backbone(**(sizes | options | changes))
    return spread(keras_hub.models.T5Seq2SeqLM(backbone))


@pytest.mark.parametrize("name", NAMES)
def test_padding_of_the_source_and_later_tokens_are_not_seen(name):
    model, (source, tokens) = spread(smoke(name)), texts(name)
    answers = model({"source": source, "tokens": tokens}).numpy()
    longer = np.pad(source, [(0, 0), (0, 5)], constant_values=PADDING[name])
    scale = np.abs(answers).max()
    np.testing.assert_allclose(model({"source": longer, "tokens": tokens}), answers, atol=1e-4 * scale)
    later = tokens.copy()
    later[:, 4:] = 7
    after = model({"source": source, "tokens": later}).numpy()
    np.testing.assert_allclose(after[:, :4], answers[:, :4], atol=1e-4 * scale)
    assert np.abs(after[:, 4:] - answers[:, 4:]).max() > 0.01 * scale
    other = source.copy()
    other[:, 0] = other[:, 0] % 26 + 3
    moved = np.abs(model({"source": other, "tokens": tokens}).numpy() - answers).max(axis=(1, 2))
    assert moved.min() > 1e-3 * scale


@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_the_whole_and_the_source_is_read_once(name):
    model, (source, tokens) = spread(smoke(name)), texts(name)
    whole = model({"source": source, "tokens": tokens}).numpy()
    stepper = Stepper(model)
    encoded, state, parts = stepper.encode(source), stepper.initial_state(3, 9), []
    for first, last in ((0, 2), (2, 3), (3, 6)):
        logits, state = stepper(tokens[:, first:last], state, first, encoded)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-4 * np.abs(whole).max())
    read = {layer.name for layer in stepper.decoder.layers}
    assert "decoder1_memory_query" in read and not any("encoder" in part or "memory_key" in part for part in read)


def test_t5_knows_only_how_far_apart_positions_are():
    model = spread(smoke("t5_small"))
    source, tokens = texts("t5_small")
    moved = np.pad(source, [(0, 0), (3, 0)])  # Padding in front moves every position.
    same = [model({"source": each, "tokens": tokens}).numpy() for each in (source, moved)]
    np.testing.assert_allclose(*same, atol=1e-4 * np.abs(same[0]).max())
    for side in ("encoder", "decoder"):  # And without the biases it would not know that either.
        layer = model.get_layer(f"{side}_bias")
        before = layer.get_weights()
        layer.set_weights([np.zeros_like(before[0])])
        assert np.abs(model({"source": source, "tokens": tokens}).numpy() - same[0]).max() > 1e-3
        layer.set_weights(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_of_keras_hub_answers_as_keras_hub_does(name, tmp_path):
    theirs = hubs(name)
    theirs.save_to_preset(tmp_path / "preset")
    ours = smoke(name, weights=str(tmp_path / "preset"))
    source, tokens = texts(name)
    wanted = theirs(
        {
            "encoder_token_ids": source,
            "encoder_padding_mask": (source != PADDING[name]).astype("int32"),
            "decoder_token_ids": tokens,
            "decoder_padding_mask": np.ones_like(tokens),
        }
    )
    wanted = keras.ops.convert_to_numpy(wanted)
    assert np.ptp(wanted, axis=(0, 1)).max() > 0.5
    # keras-hub's gate has GELU itself here, ours its approximation.
    tolerance = 2e-3 if name == "t5_v1_1_small" else 1e-4
    received = ours({"source": source, "tokens": tokens}).numpy()
    np.testing.assert_allclose(received, wanted, atol=tolerance * np.abs(wanted).max())


def test_a_folder_of_transformers_is_read_as_keras_hub_reads_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    sizes = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    sizes |= {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 30, "d_model": 16}
    configuration = transformers.BartConfig(**sizes, max_position_embeddings=16)
    theirs = transformers.BartForConditionalGeneration(configuration).eval()
    theirs.save_pretrained(tmp_path / "folder")
    source, tokens = texts("bart_base")
    with torch.no_grad():
        wanted = theirs(
            input_ids=torch.tensor(source, dtype=torch.long),
            attention_mask=torch.tensor((source != 1).astype("int64")),
            decoder_input_ids=torch.tensor(tokens, dtype=torch.long),
        ).logits.numpy()
    with pytest.raises(ValueError, match="does not find 'num_hidden_layers'.*give the file model.safetensors"):
        smoke("bart_base", weights=str(tmp_path / "folder"))
    path = tmp_path / "folder" / "config.json"  # Published folders have it.
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 2}))
    for weights in ("folder", "folder/model.safetensors"):
        ours = smoke("bart_base", weights=str(tmp_path / weights))
        received = ours({"source": source, "tokens": tokens}).numpy()
        np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


def test_presets_that_do_not_fit_are_refused(tmp_path, monkeypatch):
    presets = {
        "t5": hubs("t5_small"),
        "bart": hubs("bart_base"),
        "tied": hubs("t5_v1_1_small", tie_embedding_weights=True),
    }
    monkeypatch.setattr(
        "kerazoo.weights.keras_hub_layers.fetched", lambda kind, preset: presets[Path(preset).name].backbone
    )
    for folder in presets:
        (tmp_path / folder).mkdir()
    for name, arguments, folder, message in (
        ("t5_small", {}, "bart", "must be a T5Backbone. Received: BartBackbone"),
        ("bart_base", {}, "t5", "must be a BartBackbone. Received: T5Backbone"),
        ("t5_v1_1_small", {}, "t5", "must be gated, with GELU"),
        ("t5_small", {}, "tied", "must not be gated, with ReLU"),
        ("t5_small", {"width": 8}, "t5", "does not fit 't5_small'.*'hidden_dim': 16.*Received other layers"),
        ("t5_small", {"depth": 1}, "t5", "Received other layers: .*2_"),
        ("t5_small", {"depth": 3}, "t5", "Received other layers: encoder3_"),
        ("bart_base", {"heads": 4}, "bart", "Received other layers: encoder1_attention"),
        ("bart_base", {"context": 32}, "bart", "Received other layers: encoder_positions"),
    ):
        with pytest.raises(ValueError, match=message):
            smoke(name, weights=str(tmp_path / folder), **arguments)
    with pytest.warns(UserWarning, match="what starts fresh: logits"):
        model = smoke("t5_v1_1_small", weights=str(tmp_path / "tied"))
    assert "logits" in {layer.name for layer in model.layers if layer.weights}


@pytest.mark.parametrize(("tag", "preset"), [("flan", "flan_small_multi"), ("c4", "t5_1.1_small")])
def test_a_preset_that_is_not_here_is_named(tag, preset, monkeypatch):
    asked = []

    def offline(preset):
        asked.append(preset)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", offline)
    with pytest.raises(ConnectionError, match=f"'{preset}' could not be downloaded.*save_to_preset"):
        smoke("t5_v1_1_small", weights=tag)
    assert asked == [preset]


@pytest.mark.parametrize("given", ["en", "hf://somebody/Llama"])
def test_what_another_host_has_is_fetched_by_keras_hub(given, monkeypatch, tmp_path):
    wanted = {"en": "hf://HuggingFaceTB/SmolLM2-135M"}.get(given, given)

    def offline(preset):
        raise ValueError(f"Preset {preset} has no config.json. Make sure ...")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", offline)
    with pytest.raises(ConnectionError, match=f"'{wanted}' could not be downloaded.*save_to_preset"):
        kerazoo.build("smollm2_135m", weights=given, depth=1, vocabulary_size=100)
    with pytest.raises(ValueError, match="has no config.json"):  # A folder is there: nothing to download.
        kerazoo.build("smollm2_135m", weights=str(tmp_path), depth=1, vocabulary_size=100)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_every_tag_is_a_preset_that_keras_hub_knows(family):
    catalog.import_all()
    known = {"t5": keras_hub.models.T5Backbone, "bart": keras_hub.models.BartBackbone}[family].presets
    entries = [entry for entry in registered().values() if entry.module == f"kerazoo.models.text.{family}"]
    lacking = {
        (entry.name, tag): entry.params - known[facts["preset"]]["metadata"]["params"]
        for entry in entries
        for tag, facts in entry.weights.items()
    }
    matrices = {("t5_v1_1_small", "c4"): 32_128 * 512, ("t5_v1_1_large", "c4"): 32_128 * 1024}
    assert len(lacking) == {"t5": 9, "bart": 3}[family]
    assert {key: count for key, count in lacking.items() if count} == (matrices if family == "t5" else {})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("bart_base", {"heads": 3}, "`width` must be a multiple of `heads`.*16, 3"),
        ("bart_base", {"length": 17}, "`length` at most `context`.*17, 16"),
        ("t5_small", {"head_size": 0}, "`head_size` must be an integer of at least 1. Received: 0"),
        ("t5_small", {"vocabulary_size": 1}, "`vocabulary_size` must be an integer of at least 2"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        smoke(name, **arguments)


@pytest.mark.parametrize("name", ["t5_small", "bart_base"])
def test_what_is_padding_does_not_count(name):
    model, (source, tokens) = smoke(name), texts(name)
    labels = np.random.default_rng(2).integers(3, 30, (3, 6))
    labels[:, 4:] = PADDING[name]
    logits = model({"source": source, "tokens": tokens})
    np.testing.assert_allclose(model.loss(labels, logits), model.loss(labels[:, :4], logits[:, :4]), rtol=1e-5)


@pytest.mark.parametrize("name", ["t5_small", "bart_base"])
def test_the_application_pads_by_its_own_tokenizer(name):
    arguments = SimpleNamespace(model=name, option={"depth": 1, "width": 16, "hidden": 8, "heads": 2})
    model, (source, tokens) = text_pairs.build(arguments, SimpleNamespace(vocabulary_size=30)), texts(name)
    assert model.loss.padding == 0
    answers = model({"source": source, "tokens": tokens}).numpy()
    longer = model({"source": np.pad(source, [(0, 0), (0, 3)]), "tokens": tokens}).numpy()
    np.testing.assert_allclose(longer, answers, atol=1e-4 * np.abs(answers).max())


@pytest.mark.parametrize("name", ["t5_small", "bart_base"])
def test_a_search_compiled_by_xla_finds_the_same(name):
    model, (source, _) = spread(smoke(name)), texts(name)
    found = []
    for compiled in (True, False):
        search = BeamSearch(model, end=2, jit_compile=compiled)
        found.append([row.tolist() for row in search(np.full((3, 1), 2), source, tokens=7, beams=3)[0]])
    assert found[0] == found[1] and max(map(len, found[0])) > 1


@pytest.mark.parametrize("name", ["t5_v1_1_small", "bart_base"])
def test_dropout_is_everywhere_and_gradients_reach_all(name):
    import tensorflow as tf

    model, (source, tokens) = spread(smoke(name, dropout=0.2)), texts(name)
    inputs = {"source": source, "tokens": tokens}
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=inputs, y=tokens, y_pred=model(inputs, training=True))
    received = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for gradient, weight in zip(received, model.trainable_weights):
        assert gradient is not None and np.isfinite(tf.convert_to_tensor(gradient)).all(), weight.path
    drops = [layer.name for layer in model.layers if "dropout" in layer.name]
    assert len(drops) == {"t5_v1_1_small": 4 + 2 * 3 + 2 * 4, "bart_base": 2 + 2 * 2 + 2 * 3}[name]
