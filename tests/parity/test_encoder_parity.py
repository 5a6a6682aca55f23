"""keras-hub's encoders and our heads on them against transformers: random weights ported, answers compared."""

import numpy as np
import pytest

import kerazoo

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("keras_hub")

SIZE, WIDTH, HIDDEN, HEADS, DEPTH, CONTEXT, EMBEDDING = 40, 16, 24, 4, 2, 16, 8
SEPARATOR, CLASSES = 3, 5
SMALL = {"vocabulary_size": SIZE, "width": WIDTH, "hidden": HIDDEN, "heads": HEADS, "depth": DEPTH, "context": CONTEXT}
COMMON = {
    "vocab_size": SIZE,
    "hidden_size": WIDTH,
    "intermediate_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": DEPTH,
    "max_position_embeddings": CONTEXT,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "hidden_act": "gelu_pytorch_tanh",  # As Google's own code, and keras-hub's.
    "pad_token_id": 0,
}
# Name -> transformers' prefix, its configuration, what of it is ours.
KINDS = {
    "bert_base": ("Bert", COMMON, {}),
    "minilm_l6": ("Bert", COMMON | {"hidden_act": "gelu"}, {}),
    "distil_bert_base": (
        "DistilBert",
        {
            "vocab_size": SIZE,
            "dim": WIDTH,
            "hidden_dim": HIDDEN,
            "n_heads": HEADS,
            "n_layers": DEPTH,
            "max_position_embeddings": CONTEXT,
        },
        {},
    ),
    "roberta_base": (
        "Roberta",
        COMMON
        | {
            "hidden_act": "gelu",
            "max_position_embeddings": CONTEXT + 2,
            "type_vocab_size": 1,
            "pad_token_id": 1,
            "layer_norm_eps": 1e-5,
        },
        {},
    ),
    "albert_base": ("Albert", COMMON | {"embedding_size": EMBEDDING}, {"embedding_size": EMBEDDING}),
    "electra_small": (
        "Electra",
        COMMON | {"embedding_size": EMBEDDING},
        {"embedding_size": EMBEDDING},
    ),
    "deberta_v3_base": (
        "DebertaV2",
        COMMON
        | {
            "hidden_act": "gelu",
            "relative_attention": True,
            "position_buckets": 256,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": "p2c|c2p",
            "position_biased_input": False,
            "type_vocab_size": 0,
            "max_relative_positions": -1,
            "pooler_hidden_act": "gelu",
            "pooler_hidden_size": WIDTH,
            "layer_norm_eps": 1e-7,
        },
        {},
    ),
}
BY_HAND = {"electra_small": "electra", "deberta_v3_base": "deberta"}  # keras-hub does not read these folders.
POOLED = {
    "distil_bert_base": "pre_classifier",
    "roberta_base": "classifier.dense",
    "electra_small": "classifier.dense",
    "deberta_v3_base": "pooler.dense",
}
LAST = {"roberta_base": "classifier.out_proj", "electra_small": "classifier.out_proj"}


def theirs_and_numbers(name, head):
    prefix, configuration, _ = KINDS[name]
    kind = getattr(transformers, f"{prefix}For{head}")
    transformers.set_seed(0)
    labels = {"num_labels": 2 if head == "QuestionAnswering" else CLASSES}
    theirs = kind(getattr(transformers, f"{prefix}Config")(**configuration | labels)).eval()
    rng = np.random.default_rng(1)
    import torch

    with torch.no_grad():
        for weight in theirs.parameters():  # Theirs begin so small that half of them have no effect.
            centre = float(weight.mean()) if weight.ndim == 1 else 0.0
            weight.copy_(torch.tensor(rng.normal(centre, 0.3, weight.shape), dtype=torch.float32))
        if name.startswith("roberta"):  # Its one kind of segment, which RoBERTa has not: zero in what is published.
            theirs.roberta.embeddings.token_type_embeddings.weight.zero_()
    return theirs, {key: value.numpy() for key, value in theirs.state_dict().items()}


def ours_with(name, suffix, theirs, numbers, folder):
    arguments = SMALL | KINDS[name][2] | {"separator": SEPARATOR}
    arguments |= {} if suffix == "_span" else {"num_classes": CLASSES}
    if name in BY_HAND:
        model = kerazoo.build(name + suffix, **arguments)
        port_by_hand(model, numbers, BY_HAND[name])
        return model
    # keras-hub reads no folder without pooling, which models with other heads have not.
    whole = getattr(transformers, f"{KINDS[name][0]}ForSequenceClassification")(theirs.config)
    whole.base_model.load_state_dict(theirs.base_model.state_dict(), strict=False)
    whole.save_pretrained(folder)
    with pytest.warns(UserWarning, match="start.* fresh: .*logits"):
        return kerazoo.build(name + suffix, weights=str(folder), **arguments)


def dense(layer, numbers, module):
    layer.set_weights([numbers[f"{module}.weight"].T, numbers[f"{module}.bias"]])


def norm(layer, numbers, module):
    layer.set_weights([numbers[f"{module}.weight"], numbers[f"{module}.bias"]])


def heads_of(layer, numbers, module, *, back=False):
    """A projection to or from heads, which Keras holds apart."""
    kernel, bias = numbers[f"{module}.weight"].T, numbers[f"{module}.bias"]
    share = WIDTH // HEADS
    shape = (HEADS, share, WIDTH) if back else (WIDTH, HEADS, share)
    if len(layer.kernel.shape) == 2:
        shape = (WIDTH, WIDTH)
    layer.set_weights([kernel.reshape(shape), bias if back else bias.reshape(layer.bias.shape)])


def port_by_hand(model, numbers, kind):
    model.get_layer("token_embedding").set_weights([numbers[f"{kind}.embeddings.word_embeddings.weight"]])
    norm(model.get_layer("embeddings_layer_norm"), numbers, f"{kind}.embeddings.LayerNorm")
    if kind == "electra":
        model.get_layer("position_embedding").set_weights([numbers[f"{kind}.embeddings.position_embeddings.weight"]])
        model.get_layer("segment_embedding").set_weights([numbers[f"{kind}.embeddings.token_type_embeddings.weight"]])
        dense(model.get_layer("embeddings_projection"), numbers, f"{kind}.embeddings_project")
    else:
        places = [numbers[f"{kind}.encoder.{part}"] for part in ("rel_embeddings.weight",)]
        places += [numbers[f"{kind}.encoder.LayerNorm.{part}"] for part in ("weight", "bias")]
        model.get_layer("rel_embedding").set_weights(places)
    for index in range(DEPTH):
        module = f"{kind}.encoder.layer.{index}"
        name = "transformer_layer" if kind == "electra" else "disentangled_attention_encoder_layer"
        layer = model.get_layer(f"{name}_{index}")
        attention = layer._self_attention_layer
        parts = ("query", "key", "value") if kind == "electra" else ("query_proj", "key_proj", "value_proj")
        for part, own in zip(parts, ("query", "key", "value")):
            heads_of(getattr(attention, f"_{own}_dense"), numbers, f"{module}.attention.self.{part}")
        heads_of(attention._output_dense, numbers, f"{module}.attention.output.dense", back=True)
        norm(layer._self_attention_layer_norm, numbers, f"{module}.attention.output.LayerNorm")
        dense(layer._feedforward_intermediate_dense, numbers, f"{module}.intermediate.dense")
        dense(layer._feedforward_output_dense, numbers, f"{module}.output.dense")
        norm(layer._feedforward_layer_norm, numbers, f"{module}.output.LayerNorm")


def texts(name):
    """Ids of two pairs of texts and of one text, as the family pads them; where they are; which text a token is of."""
    rng = np.random.default_rng(0)
    ids = rng.integers(5, SIZE, (3, 10))
    lengths, firsts = np.array([10, 7, 8]), np.array([4, 2, 7])
    ids[np.arange(3), firsts] = ids[np.arange(3), lengths - 1] = SEPARATOR
    there = np.arange(10) < lengths[:, None]
    padding = 1 if name.startswith("roberta") else 0
    return np.where(there, ids, padding), there, (np.arange(10) > firsts[:, None]) & there


def compare(name, head, suffix, folder):
    """(received, wanted, where there are tokens)."""
    import torch

    theirs, numbers = theirs_and_numbers(name, head)
    ours = ours_with(name, suffix, theirs, numbers, folder)
    ids, there, second = texts(name)
    inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(there.astype("int64"))}
    if name.startswith(("bert", "albert", "electra", "minilm")):
        inputs["token_type_ids"] = torch.tensor(second.astype("int64"))
    if suffix == "":
        if name in POOLED:
            dense(ours.get_layer("pooled_dense"), numbers, POOLED[name])
        dense(ours.get_layer("logits"), numbers, LAST.get(name, "classifier"))
    else:
        dense(ours.get_layer("logits"), numbers, "qa_outputs" if suffix == "_span" else "classifier")
    with torch.no_grad():
        answers = theirs(**inputs)
    wanted = np.stack([answers.start_logits, answers.end_logits], -1) if suffix == "_span" else answers.logits.numpy()
    return ours(ids.astype("int32")).numpy(), wanted, there


def check(received, wanted):
    assert np.ptp(wanted, axis=0).max() > 0.1
    np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", [name for name in KINDS if name != "minilm_l6"])
def test_classifier(name, tmp_path):
    received, wanted, _ = compare(name, "SequenceClassification", "", tmp_path)
    check(received, wanted)


def test_classifier_on_the_mean_of_all_tokens(tmp_path):
    """MiniLM's, which transformers has not: its encoder's answers, their mean, one dense layer."""
    import torch

    theirs, numbers = theirs_and_numbers("minilm_l6", "SequenceClassification")
    arguments = SMALL | {"separator": SEPARATOR, "num_classes": CLASSES, "weights": str(tmp_path)}
    theirs.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="starts fresh: logits"):
        ours = kerazoo.build("minilm_l6_classifier", **arguments)
    numbers["classifier.weight"] *= 4  # Means are more alike than single tokens.
    dense(ours.get_layer("logits"), numbers, "classifier")
    ids, there, second = texts("minilm_l6")
    inputs = {
        "attention_mask": torch.tensor(there.astype("int64")),
        "token_type_ids": torch.tensor(second.astype("int64")),
    }
    with torch.no_grad():
        vectors = theirs.bert(input_ids=torch.tensor(ids), **inputs).last_hidden_state.numpy()
    mean = (vectors * there[..., None]).sum(axis=1) / there.sum(axis=1, keepdims=True)
    wanted = mean @ numbers["classifier.weight"].T + numbers["classifier.bias"]
    check(ours(ids.astype("int32")).numpy(), wanted)


@pytest.mark.parametrize("name", KINDS)
def test_tagger(name, tmp_path):
    received, wanted, there = compare(name, "TokenClassification", "_tagger", tmp_path)
    check(received[there], wanted[there])


@pytest.mark.parametrize("name", KINDS)
def test_span(name, tmp_path):
    received, wanted, there = compare(name, "QuestionAnswering", "_span", tmp_path)
    check(received[there], wanted[there])
    assert (received[~there] <= -1e4).all()
