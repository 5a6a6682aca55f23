"""keras-hub's encoders in their published sizes, with the presets that fit them."""

# Families whose presets split texts into pieces as BERT does.
WORD_PIECES = ("bert", "distil_bert", "electra", "minilm")
# Family -> keras-hub's class; the id of padding; whether it tells two texts apart; what comes between the first
# token's vector and the classes (None is the encoder's own, which taggers leave out; "mean" is the mean of all tokens'
# vectors in place of the first's), with the dropout around it; another activation than keras-hub's in the layers.
FAMILIES = {
    "bert": {"backbone": "BertBackbone", "padding": 0, "segments": True, "pooling": None, "dropout": 0.1},
    "distil_bert": {
        "backbone": "DistilBertBackbone",
        "padding": 0,
        "segments": False,
        "pooling": "relu",
        "dropout": 0.2,
    },
    "roberta": {"backbone": "RobertaBackbone", "padding": 1, "segments": False, "pooling": "tanh", "dropout": 0.1},
    "albert": {"backbone": "AlbertBackbone", "padding": 0, "segments": True, "pooling": None, "dropout": 0.1},
    "electra": {"backbone": "ElectraBackbone", "padding": 0, "segments": True, "pooling": "gelu", "dropout": 0.1},
    "deberta_v3": {
        "backbone": "DebertaV3Backbone",
        "padding": 0,
        "segments": False,
        "pooling": "gelu",
        "dropout": 0.0,
    },
    "minilm": {  # GELU itself, not its approximation by tanh.
        "backbone": "BertBackbone",
        "padding": 0,
        "segments": True,
        "pooling": "mean",
        "dropout": 0.1,
        "activation": "gelu",
    },
}
# MiniLM as sentence-transformers' authors trained it: layers -> parameters with BERT's pooling, and presets.
MINILM = {
    6: (
        22_713_216,
        {
            "all_v2": {"from": "keras_hub", "preset": "all_minilm_l6_v2_en", "packaged": "minilm_l6"},
            "paraphrase_v2": {"from": "keras_hub", "preset": "paraphrase_minilm_l6_v2_en"},
            "multi_qa_cos_v1": {"from": "keras_hub", "preset": "multi_qa_minilm_l6_cos_v1_en"},
        },
    ),
    12: (
        33_360_000,
        {
            "all_v2": {"from": "keras_hub", "preset": "all_minilm_l12_v2_en"},
            "paraphrase_v2": {"from": "keras_hub", "preset": "paraphrase_minilm_l12_v2_en"},
        },
    ),
}


def _from(**presets):
    """Tags with keras-hub's presets; a pair brings the size of its vocabulary along."""
    rows = {tag: preset if isinstance(preset, tuple) else (preset, None) for tag, preset in presets.items()}
    return {
        tag: {"from": "keras_hub", "preset": preset} | ({"arguments": {"vocabulary_size": size}} if size else {})
        for tag, (preset, size) in rows.items()
    }


def _row(family, depth, width, heads, vocabulary_size, *, params, hidden=None, weights=(), **options):
    """A size: builder arguments, the encoder's parameters without pooling, tags of presets."""
    sizes = {"family": family, "depth": depth, "width": width, "heads": heads, "hidden": hidden or 4 * width}
    body = params - (_pooling(width) if FAMILIES[family]["segments"] else 0)  # Only those publish it with pooling.
    return {"arguments": sizes | {"vocabulary_size": vocabulary_size} | options, "body": body, "weights": weights}


def _pooling(width):
    """Parameters of the dense layer between the first token's vector and the classes."""
    return width * (width + 1)


_CASED, _MANY = 28_996, 119_547
_ALBERT = {"vocabulary_size": 30_000, "embedding_size": 128, "separator": 3, "dropout": 0.0}
# `params`: the encoder's trainable ones, as keras-hub publishes them.
SIZES = {
    "bert_tiny": _row("bert", 2, 128, 2, 30_522, params=4_385_920, weights=_from(en_uncased="bert_tiny_en_uncased")),
    "bert_small": _row("bert", 4, 512, 8, 30_522, params=28_763_648, weights=_from(en_uncased="bert_small_en_uncased")),
    "bert_medium": _row(
        "bert", 8, 512, 8, 30_522, params=41_373_184, weights=_from(en_uncased="bert_medium_en_uncased")
    ),
    "bert_base": _row(
        "bert",
        12,
        768,
        12,
        30_522,
        params=109_482_240,
        weights=_from(
            en_uncased="bert_base_en_uncased",
            en=("bert_base_en", _CASED),
            zh=("bert_base_zh", 21_128),
            multi=("bert_base_multi", _MANY),
        ),
    ),
    "bert_large": _row(
        "bert",
        24,
        1024,
        16,
        30_522,
        params=335_141_888,
        weights=_from(en_uncased="bert_large_en_uncased", en=("bert_large_en", _CASED)),
    ),
    "distil_bert_base": _row(
        "distil_bert",
        6,
        768,
        12,
        30_522,
        params=66_362_880,
        weights=_from(
            en_uncased="distil_bert_base_en_uncased",
            en=("distil_bert_base_en", _CASED),
            multi=("distil_bert_base_multi", _MANY),
        ),
    ),
    "roberta_base": _row("roberta", 12, 768, 12, 50_265, params=124_052_736, weights=_from(en="roberta_base_en")),
    "roberta_large": _row("roberta", 24, 1024, 16, 50_265, params=354_307_072, weights=_from(en="roberta_large_en")),
    "albert_base": _row(
        "albert", 12, 768, 12, params=11_683_584, weights=_from(en_uncased="albert_base_en_uncased"), **_ALBERT
    ),
    "albert_large": _row(
        "albert", 24, 1024, 16, params=17_683_968, weights=_from(en_uncased="albert_large_en_uncased"), **_ALBERT
    ),
    "albert_extra_large": _row(
        "albert", 24, 2048, 16, params=58_724_864, weights=_from(en_uncased="albert_extra_large_en_uncased"), **_ALBERT
    ),
    "albert_extra_extra_large": _row(
        "albert",
        12,
        4096,
        64,
        params=222_595_584,
        weights=_from(en_uncased="albert_extra_extra_large_en_uncased"),
        **_ALBERT,
    ),
    "electra_small": _row(
        "electra",
        12,
        256,
        4,
        30_522,
        embedding_size=128,
        params=13_548_800,
        weights=_from(en_uncased="electra_small_discriminator_uncased_en"),
    ),
    "electra_base": _row(
        "electra",
        12,
        768,
        12,
        30_522,
        embedding_size=768,
        params=109_482_240,
        weights=_from(en_uncased="electra_base_discriminator_uncased_en"),
    ),
    "electra_large": _row(
        "electra",
        24,
        1024,
        16,
        30_522,
        embedding_size=1024,
        params=335_141_888,
        weights=_from(en_uncased="electra_large_discriminator_uncased_en"),
    ),
    "deberta_v3_extra_small": _row(
        "deberta_v3", 12, 384, 6, 128_100, params=70_682_112, weights=_from(en="deberta_v3_extra_small_en")
    ),
    "deberta_v3_small": _row(
        "deberta_v3", 6, 768, 12, 128_100, params=141_304_320, weights=_from(en="deberta_v3_small_en")
    ),
    "deberta_v3_base": _row(
        "deberta_v3",
        12,
        768,
        12,
        128_100,
        params=183_831_552,
        weights=_from(en="deberta_v3_base_en", multi=("deberta_v3_base_multi", 251_000)),
    ),
    "deberta_v3_large": _row(
        "deberta_v3", 24, 1024, 16, 128_100, params=434_012_160, weights=_from(en="deberta_v3_large_en")
    ),
} | {
    f"minilm_l{depth}": _row("minilm", depth, 384, 12, 30_522, params=params, weights=weights)
    for depth, (params, weights) in MINILM.items()
}


def variants(suffix, outputs, *, pooled):
    """Rows for `register`, named with a suffix; the head has so many outputs, of the text or of each token."""
    rows = {}
    for name, size in SIZES.items():
        arguments = size["arguments"]
        mean = FAMILIES[arguments["family"]]["pooling"] == "mean"
        pooling = _pooling(arguments["width"]) if pooled and not mean else 0
        row = {"params": size["body"] + pooling + outputs * (arguments["width"] + 1), "weights": size["weights"]}
        if "embedding_size" in arguments:
            row["smoke"] = {"embedding_size": 8}
        rows[name + (suffix or "_classifier" * mean)] = arguments | row  # The plain name is the sentence encoder's.
    return rows
