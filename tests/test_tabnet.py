"""TabNet: its norm, its masks, and pytorch-tabnet's answers with pytorch-tabnet's weights (extra `kerazoo[parity]`)."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.ghost_batch_normalization import GhostBatchNormalization
from kerazoo.layers.sparse_mask import SparseMask

CARDINALITIES = [3, 5]


def rows(count=40, numeric=4, seed=0):
    rng = np.random.default_rng(seed)
    categories = np.stack([rng.integers(0, size, count) for size in CARDINALITIES], axis=1).astype("int32")
    return {"numeric": rng.normal(size=(count, numeric)).astype("float32"), "categories": categories}


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def by_hand(x, size, *, momentum, epsilon):
    """What the norm should give: (outputs, moving mean, moving variance), part after part."""
    parts = np.array_split(x, [size * i for i in range(1, -(-len(x) // size))])
    mean, variance, outputs = np.zeros(x.shape[1]), np.ones(x.shape[1]), []
    for part in parts:
        outputs.append((part - part.mean(0)) / np.sqrt(part.var(0) + epsilon))
        mean = momentum * mean + (1 - momentum) * part.mean(0)
        variance = momentum * variance + (1 - momentum) * part.var(0, ddof=1)
    return np.concatenate(outputs), mean, variance


@pytest.mark.parametrize(("count", "size"), [(8, 8), (24, 8), (21, 7), (20, 7), (5, 5)])
@pytest.mark.parametrize("traced", [False, True])
def test_every_part_of_the_batch_is_normalised_by_itself(count, size, traced):
    import tensorflow as tf

    layer = GhostBatchNormalization(8, momentum=0.7, epsilon=1e-3)
    x = np.random.default_rng(0).normal(3, 2, (count, 3)).astype("float32")
    layer.build(x.shape)

    def call(inputs):
        return layer(inputs, training=True)

    if traced:
        call = tf.function(call, input_signature=[tf.TensorSpec((None, 3))])
    outputs, mean, variance = by_hand(x, size, momentum=0.7, epsilon=1e-3)
    np.testing.assert_allclose(numpy(call(x)), outputs, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.moving_mean), mean, rtol=1e-5)
    np.testing.assert_allclose(numpy(layer.moving_variance), variance, rtol=1e-5)
    assert layer.get_config()["virtual_batch_size"] == 8


def test_a_norm_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`virtual_batch_size` must be a positive integer. Received: 0"):
        GhostBatchNormalization(0)


def test_masks_are_sparse_and_their_entropy_is_paid_for():
    layer = SparseMask(0.5)
    mask = numpy(layer(np.array([[0.0, 0.0, 0.0], [9.0, 1.0, 1.0], [1.0, 0.6, 0.0]], "float32"), training=True))
    np.testing.assert_allclose(mask, [[1 / 3] * 3, [1, 0, 0], [0.7, 0.3, 0]], atol=1e-6)
    entropy = np.log(3) - 0.7 * np.log(0.7) - 0.3 * np.log(0.3)
    np.testing.assert_allclose(float(layer.losses[0]), 0.5 * entropy / 3, rtol=1e-5)
    layer(np.zeros((1, 3), "float32"))
    assert not layer.losses  # Inference pays nothing.


@pytest.mark.parametrize(
    "arguments", [{"steps": 0}, {"shared": 0, "independent": 0}, {"shared": -1}, {"relaxation": 0.9}]
)
def test_sizes_that_make_no_network_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1, `relaxation` too. Received"):
        kerazoo.build("tabnet", **arguments)


@pytest.mark.parametrize(("shared", "independent"), [(0, 1), (1, 0), (2, 2)])
def test_layers_shared_and_own(shared, independent):
    model = kerazoo.build("tabnet", shared=shared, independent=independent, steps=1)
    names = [layer.name for layer in model.layers]
    assert sum(name.endswith("_gate") for name in names) == 2 * (shared + independent)
    assert sum(name in ("shared1", "shared2") for name in names) == shared


# Parity.


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    return pytest.importorskip("pytorch_tabnet.tab_network")


def test_as_many_parameters_as_pytorch_tabnet(reference):
    counted = sum(p.numel() for p in reference.TabNetNoEmbeddings(8, 1).parameters() if p.requires_grad)
    # Its outer `initial_bn` is never called; the encoder has its own.
    counted -= 2 * 8
    model = kerazoo.build("tabnet")
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == counted


def dense(model, name, linear):
    model.get_layer(name).set_weights([linear.weight.detach().numpy().T])


def norm(model, name, module):
    names = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(name).set_weights([getattr(module, n).detach().numpy() for n in names])


def transformer(model, name, module):
    for kind, block in (("shared", module.shared), ("own", module.specifics)):
        for index, layer in enumerate(block.glu_layers, start=1):
            norm(model, f"{name}_{kind}{index}_norm", layer.bn.bn)
            dense(model, f"shared{index}" if kind == "shared" else f"{name}_own{index}", layer.fc)


def ported(reference, categories_width):
    """(module, model) with the same random weights and statistics."""
    import torch

    torch.manual_seed(0)
    module = reference.TabNet(
        6,
        3,
        cat_idxs=[4, 5],
        cat_dims=CARDINALITIES,
        cat_emb_dim=[categories_width] * 2,
        virtual_batch_size=16,
        momentum=0.3,
        group_attention_matrix=torch.eye(6),
    )
    for norms in (m for m in module.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norms.weight.data.add_(0.2 * torch.randn(norms.weight.shape))
        norms.bias.data.add_(0.2 * torch.randn(norms.bias.shape))
        norms.running_mean.add_(0.2 * torch.randn(norms.bias.shape))
        norms.running_var.add_(torch.rand(norms.bias.shape))
    model = kerazoo.build(
        "tabnet",
        numeric=4,
        cardinalities=CARDINALITIES,
        category_width=categories_width,
        virtual_batch_size=16,
        momentum=0.7,
        outputs=3,
        objective="multiclass",
    )
    encoder = module.tabnet.encoder
    for index, embedding in enumerate(module.embedder.embeddings, start=1):
        model.get_layer(f"category{index}_embedding").set_weights([embedding.weight.detach().numpy()])
    norm(model, "norm", encoder.initial_bn)
    transformer(model, "start", encoder.initial_splitter)
    for index, (features, attention) in enumerate(zip(encoder.feat_transformers, encoder.att_transformers), start=1):
        transformer(model, f"step{index}", features)
        dense(model, f"step{index}_scores", attention.fc)
        norm(model, f"step{index}_scores_norm", attention.bn.bn)
    dense(model, "logits", module.tabnet.final_mapping)
    return module, model


@pytest.mark.parametrize("categories_width", [1, 3])
def test_answers_as_pytorch_tabnet(reference, categories_width):
    import torch

    module, model = ported(reference, categories_width)
    table = rows()
    together = torch.tensor(np.concatenate([table["numeric"], table["categories"]], axis=1))
    for training in (True, False):  # In training first: it moves the statistics that inference goes by.
        expected, entropy = module.train(training)(together)
        expected = expected.detach().numpy()
        received = numpy(model(table, training=training))
        assert np.ptp(expected) > 1e-2
        np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
        if training:
            np.testing.assert_allclose(sum(map(float, model.losses)), -1e-3 * float(entropy), rtol=1e-4)
