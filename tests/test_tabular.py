"""Models on tables: inputs, errors, and rtdl's answers with rtdl's weights (extra `kerazoo[parity]`)."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog

NAMES = kerazoo.list_models(task="tabular")
CARDINALITIES = [3, 5]


def rows(count=6, numeric=4, seed=0):
    rng = np.random.default_rng(seed)
    categories = np.stack([rng.integers(0, size, count) for size in CARDINALITIES], axis=1).astype("int32")
    return {"numeric": rng.normal(size=(count, numeric)).astype("float32"), "categories": categories}


def answers(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_alone_categories_alone_and_both(name):
    smoke = dict(catalog.entry(name).smoke) | {"numeric": 4, "cardinalities": CARDINALITIES}
    table = rows()
    for given, sizes in (
        (table, {}),
        (table["numeric"], {"cardinalities": ()}),
        (table["categories"], {"numeric": 0}),
    ):
        model = kerazoo.build(name, **(smoke | sizes))
        assert answers(model, given).shape == (6, 4)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_judged_by_itself_and_every_column_counts(name):
    smoke = dict(catalog.entry(name).smoke) | {"numeric": 4, "cardinalities": CARDINALITIES}
    model, table = kerazoo.build(name, seed=0, **smoke), rows()
    model.set_weights([w + 0.05 * np.random.default_rng(1).normal(size=w.shape) ** 2 for w in model.get_weights()])
    whole = answers(model, table)
    one = answers(model, {key: value[2:3] for key, value in table.items()})
    np.testing.assert_allclose(one[0], whole[2], atol=1e-5)
    for key, column in (("numeric", 3), ("categories", 1)):
        changed = {k: v.copy() for k, v in table.items()}
        changed[key][:, column] = np.where(changed[key][:, column], 0, 1)
        moved = np.abs(answers(model, changed) - whole).max(axis=1)
        row = moved.argmax()  # TabNet looks at few columns of a row: another may have this one masked.
        assert moved[row] > 1e-4
        changed = {k: np.where(np.arange(6)[:, None] == row, changed[k], v) for k, v in table.items()}
        assert np.delete(np.abs(answers(model, changed) - whole).max(axis=1), row).max() < 1e-5


@pytest.mark.parametrize(
    ("objective", "outputs", "loss"),
    [
        ("binary", 1, "BinaryCrossentropy"),
        ("multiclass", 3, "SparseCategoricalCrossentropy"),
        ("regression", 2, "MeanSquaredError"),
    ],
)
def test_the_objective_decides_the_loss(objective, outputs, loss):
    model = kerazoo.build("tab_mlp", objective=objective, outputs=outputs)
    assert type(model.loss).__name__ == loss and model.output_shape == (None, outputs)
    model.optimizer.build(model.trainable_variables)
    decays = {v.name: model.optimizer._use_weight_decay(v) for v in model.trainable_variables}
    assert decays["kernel"] and not decays["bias"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numeric": 0}, "A row needs a column"),
        ({"cardinalities": (1,)}, "at least 2"),
        ({"objective": "ranking"}, "`objective` must be one of"),
        ({"objective": "multiclass"}, "at least 2 for 'multiclass'"),
        ({"outputs": 0}, "at least 1"),
    ],
)
def test_clear_errors(arguments, message):
    for name in NAMES:
        with pytest.raises(ValueError, match=message):
            kerazoo.build(name, **arguments)
    with pytest.raises(ValueError, match="`heads` must divide"):
        kerazoo.build("ft_transformer", heads=5)


def test_categories_start_as_wide_as_numbers():
    """Within 0.05, as Keras starts them, they come in so late that early stopping ends before."""
    for name in ("tab_mlp", "tab_resnet"):
        table = kerazoo.build(name, numeric=0, cardinalities=(2000,)).get_layer("category1_embedding").get_weights()[0]
        np.testing.assert_allclose(np.abs(table).max(), 8**-0.5, rtol=0.01)


def test_published_parameters():
    model = kerazoo.build("ft_transformer")
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 894_913


# Parity.


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    return pytest.importorskip("rtdl")


def dense(model, name, linear):
    model.get_layer(name).set_weights([linear.weight.detach().numpy().T, linear.bias.detach().numpy()])


def norm(model, name, module):
    names = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(name).set_weights([getattr(module, n).detach().numpy() for n in names if hasattr(module, n)])


def assert_same(model, module, table):
    import torch

    numbers, categories = torch.tensor(table["numeric"]), torch.tensor(table["categories"].astype("int64"))
    expected = module(numbers, categories).detach().numpy()
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(answers(model, table), expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_ft_transformer_answers_as_rtdl(reference):
    import torch

    torch.manual_seed(0)
    module = reference.FTTransformer.make_default(
        n_num_features=4, cat_cardinalities=CARDINALITIES, last_layer_query_idx=[-1], d_out=3
    ).eval()
    for name, parameter in module.named_parameters():
        if "normalization" in name:
            parameter.data.add_(0.2 * torch.randn(parameter.shape))
    sizes = {"numeric": 4, "cardinalities": CARDINALITIES, "outputs": 3, "objective": "multiclass"}
    model = kerazoo.build("ft_transformer", **sizes)
    tokens = module.feature_tokenizer
    weights = [tokens.num_tokenizer.weight, tokens.num_tokenizer.bias]
    model.get_layer("numeric_tokens").set_weights([w.detach().numpy() for w in weights])
    table = tokens.cat_tokenizer.embeddings.weight.detach().split(CARDINALITIES)
    for index, (part, bias) in enumerate(zip(table, tokens.cat_tokenizer.bias), start=1):
        model.get_layer(f"category{index}_tokens").set_weights([(part + bias).detach().numpy()])
    model.get_layer("class_token").set_weights([module.cls_token.weight.detach().numpy().reshape(1, 1, -1)])
    for index, block in enumerate(module.transformer.blocks, start=1):
        attention, weights = block["attention"], []
        for linear in (attention.W_q, attention.W_k, attention.W_v):
            weights += [
                linear.weight.detach().numpy().T.reshape(192, 8, 24),
                linear.bias.detach().numpy().reshape(8, 24),
            ]
        out = attention.W_out
        weights += [out.weight.detach().numpy().T.reshape(8, 24, 192), out.bias.detach().numpy()]
        model.get_layer(f"block{index}_attention").set_weights(weights)
        if index > 1:
            norm(model, f"block{index}_attention_norm", block["attention_normalization"])
        norm(model, f"block{index}_norm", block["ffn_normalization"])
        dense(model, f"block{index}_inner", block["ffn"].linear_first)
        dense(model, f"block{index}_outer", block["ffn"].linear_second)
    norm(model, "norm", module.transformer.head.normalization)
    dense(model, "logits", module.transformer.head.linear)
    assert_same(model, module, rows())


def test_resnet_answers_as_rtdl(reference):
    import torch

    torch.manual_seed(0)
    module = reference.ResNet.make_baseline(
        d_in=4, n_blocks=2, d_main=16, d_hidden=24, dropout_first=0.2, dropout_second=0.0, d_out=3
    )
    module(2 * torch.randn(64, 4) + 1)  # Statistics that are not the initial ones.
    module.eval()
    sizes = {"numeric": 4, "blocks": 2, "width": 16, "hidden": 24, "outputs": 3, "objective": "multiclass"}
    model = kerazoo.build("tab_resnet", **sizes)
    dense(model, "input", module.first_layer)
    for index, block in enumerate(module.blocks, start=1):
        norm(model, f"block{index}_norm", block.normalization)
        dense(model, f"block{index}_inner", block.linear_first)
        dense(model, f"block{index}_outer", block.linear_second)
    norm(model, "norm", module.head.normalization)
    dense(model, "logits", module.head.linear)
    numbers = rows()["numeric"]
    expected = module(torch.tensor(numbers)).detach().numpy()
    np.testing.assert_allclose(answers(model, numbers), expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
