"""Segmenters: equal to their public references, what a void label does, sizes, errors."""

import importlib.util

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.aligned_upsampling import AlignedUpsampling2D
from kerazoo.weights import torch as from_torch

SEGMENTERS = [*kerazoo.list_models("*resnet*", task="semantic_segmentation"), "deeplabv3plus_mobilenet_v2"]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SIDE = {"input_shape": (64, 96, 3), "num_classes": 5}


@pytest.fixture(scope="module")
def torch_references():
    pytest.importorskip("torch")
    import torch_references

    return torch_references


@pytest.fixture(scope="module")
def smp(torch_references):
    """segmentation-models-pytorch, also where torchvision's compiled operators are missing."""
    if importlib.util.find_spec("torchvision"):
        torch_references.torchvision()
    return pytest.importorskip("segmentation_models_pytorch")


@pytest.fixture(scope="module")
def transformers(torch_references):
    if importlib.util.find_spec("torchvision"):
        torch_references.torchvision()  # transformers imports it where it is there.
    return pytest.importorskip("transformers")


def wanted(torch_references, net):
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
    return images, torch_references.logits(net, images, *IMAGENET).transpose(0, 2, 3, 1)


def loaded(model, net, name):
    """The model with the net's weights."""
    family = from_torch.family(kerazoo.catalog.entry(name))
    tensors = {key: value.numpy() for key, value in net.state_dict().items()}
    assert from_torch.load_tensors(model, tensors, family.names, path="random") == []
    return model


@pytest.mark.parametrize("name", SEGMENTERS)
def test_answers_as_segmentation_models_pytorch(smp, torch_references, name):
    kind = smp.Unet if name.startswith("unet") else smp.DeepLabV3Plus
    net = torch_references.randomized(kind(name.partition("_")[2], encoder_weights=None, classes=5))
    images, answers = wanted(torch_references, net)
    model = loaded(kerazoo.build(name, **SIDE), net, name)
    received = keras.ops.convert_to_numpy(model(images))
    assert np.ptp(answers) > 0.1
    np.testing.assert_allclose(received, answers, atol=1e-4 * np.abs(answers).max())


@pytest.mark.parametrize("name, encoder", [("segformer_b0", "mit_b0"), ("segformer_b1", "mit_b1")])
def test_segformer_answers_as_segmentation_models_pytorch(smp, torch_references, name, encoder):
    """Before the enlargement: they keep the corners in place there, SegFormer's authors the outer edges."""
    net = torch_references.randomized(smp.Segformer(encoder, encoder_weights=None, classes=5))
    net.segmentation_head[1] = net.segmentation_head[2] = torch_references.nn.Identity()
    images, answers = wanted(torch_references, net)
    model = loaded(kerazoo.build(name, **SIDE), net, name)
    received = keras.Model(model.input, model.get_layer("classes").output)(images)
    assert np.ptp(answers) > 0.1
    np.testing.assert_allclose(received, answers, atol=1e-4 * np.abs(answers).max())


def test_segformer_takes_the_names_of_transformers(torch_references, transformers, tmp_path):
    config = transformers.SegformerConfig(num_labels=5)  # b0's sizes are its defaults.
    net = torch_references.randomized(transformers.SegformerForSemanticSegmentation(config))
    torch_references.torch.save(net.state_dict(), tmp_path / "b0.pth")
    images, answers = wanted(torch_references, lambda x: net(x).logits)
    model = kerazoo.weights.from_torch("segformer_b0", tmp_path / "b0.pth", **SIDE)
    received = keras.Model(model.input, model.get_layer("classes").output)(images)
    assert np.ptp(answers) > 0.1
    np.testing.assert_allclose(received, answers, atol=1e-4 * np.abs(answers).max())


def test_names_of_transformers_are_translated_whole_or_refused():
    from kerazoo.weights.torch_names.segformer import translated

    query, key, value = np.zeros((2, 2)), np.ones((2, 2)), 2 * np.ones((2, 2))
    place = "segformer.encoder.block.1.0.attention.self"
    given = {f"{place}.{name}.weight": tensor for name, tensor in (("query", query), ("value", value), ("key", key))}
    given |= {"decode_head.linear_c.0.proj.bias": query, "segformer.encoder.new.weight": key}
    given |= {"segformer.encoder.layer_norm.3.bias": query, f"{place}.sr.weight": key}
    received = translated(given)
    assert set(received) == {
        *("encoder.block2.0.attn.q.weight", "encoder.block2.0.attn.kv.weight", "encoder.block2.0.attn.sr.weight"),
        *("decoder.mlp_stage.3.linear.bias", "encoder.norm4.bias", "segformer.encoder.new.weight"),
    }
    newer = "segformer.stages.1.blocks.0.attention"
    renamed = {f"{newer}.{name}_proj.weight": tensor for name, tensor in (("q", query), ("v", value), ("k", key))}
    renamed |= {"decode_head.linear_projections.0.proj.bias": query, "segformer.stages.3.layer_norm.bias": query}
    renamed |= {f"{newer}.sequence_reduction.sequence_reduction.weight": key, "segformer.encoder.new.weight": key}
    again = translated(renamed)
    assert set(again) == set(received) and all((again[name] == received[name]).all() for name in received)
    np.testing.assert_array_equal(received["encoder.block2.0.attn.kv.weight"], np.concatenate([key, value]))
    assert translated({"encoder.norm1.weight": key}) == {"encoder.norm1.weight": key}


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_unet_is_the_papers(torch_references, padding):
    net = torch_references.randomized(torch_references.UNet(8, 2, 3, classes=5, padding=padding))
    model = kerazoo.build("unet", width=8, depth=2, padding=padding, **SIDE)
    names = {f"down{i}_{j}": f"down.{i - 1}.{j - 1}" for i in (1, 2, 3) for j in (1, 2)}
    names |= {f"up{i}_{j}": f"up.{i - 1}.{j - 1}" for i in (1, 2) for j in (1, 2)}
    names |= {f"up{i}_enlarge": f"enlarge.{i - 1}" for i in (1, 2)} | {"logits": "logits"}
    tensors = {key: value.numpy() for key, value in net.state_dict().items()}
    for layer, module in names.items():
        kernel = tensors[f"{module}.weight"].transpose(2, 3, 1, 0)  # A transposed convolution's axes are swapped too.
        model.get_layer(layer).set_weights([kernel, tensors[f"{module}.bias"]])
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
    answers = torch_references.logits(net, images, (0, 0, 0), (1, 1, 1)).transpose(0, 2, 3, 1)
    received = keras.ops.convert_to_numpy(model(images))
    assert received.shape == answers.shape == ((2, 64, 96, 5) if padding == "same" else (2, 24, 56, 5))
    np.testing.assert_allclose(received, answers, atol=1e-4 * np.abs(answers).max())


def test_fast_scnn_is_the_papers():
    """The table's sizes and channels, and Tramac's count of parameters; random weights move with their images."""
    model = kerazoo.build("fast_scnn", input_shape=(128, 192, 3))
    sizes = {"stem1": (64, 96, 32), "stem2_pointwise": (32, 48, 48), "stem3_pointwise": (16, 24, 64)}
    sizes |= {"block3_add": (8, 12, 64), "block6_add": (4, 6, 96), "block9_add": (4, 6, 128), "pyramid": (4, 6, 128)}
    sizes |= {"fusion": (16, 24, 128), "classes": (16, 24, 19), "logits": (128, 192, 19)}
    layers = {layer.name: layer for layer in model.layers}
    for name, size in sizes.items():
        assert layers.get(f"{name}_relu", layers.get(name)).output.shape[1:] == size, name
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 1_138_051
    assert model.get_layer("context_depthwise_conv").dilation_rate == (4, 4)
    images = np.random.default_rng(0).uniform(0, 255, (2, 128, 192, 3)).astype("float32")
    answers = keras.ops.convert_to_numpy(model(images))
    assert np.abs(answers[0] - answers[1]).max() > 1e-4


def test_fast_scnn_answers_as_in_pytorch(torch_references):
    from torch_fast_scnn import FastSCNN

    net = torch_references.randomized(FastSCNN(5))
    images, answers = wanted(torch_references, net)
    received = keras.ops.convert_to_numpy(loaded(kerazoo.build("fast_scnn", **SIDE), net, "fast_scnn")(images))
    assert np.ptp(answers) > 0.1
    np.testing.assert_allclose(received, answers, atol=1e-4 * np.abs(answers).max())


def test_adaptive_pooling_is_torchs(torch_references):
    from kerazoo.layers.adaptive_pooling import AdaptivePooling2D

    maps = np.random.default_rng(0).normal(size=(2, 5, 8, 3)).astype("float32")
    for count in (1, 2, 3, 6):  # Six bins of five rows repeat some.
        pooled = torch_references.functional.adaptive_avg_pool2d(
            torch_references.torch.from_numpy(maps.transpose(0, 3, 1, 2).copy()), count
        )
        received = keras.ops.convert_to_numpy(AdaptivePooling2D(count)(maps))
        np.testing.assert_allclose(received, pooled.numpy().transpose(0, 2, 3, 1), atol=1e-6)


@pytest.mark.parametrize("size", [(7, 11), (2, 3), (5, 8)])
def test_resizing_is_torchs_with_aligned_corners(torch_references, size):
    from kerazoo.layers.aligned_upsampling import AlignedResizing2D

    maps = np.random.default_rng(0).normal(size=(2, 5, 8, 3)).astype("float32")
    resized = torch_references.functional.interpolate(
        torch_references.torch.from_numpy(maps.transpose(0, 3, 1, 2).copy()), size, mode="bilinear", align_corners=True
    )
    received = keras.ops.convert_to_numpy(AlignedResizing2D(size)(maps))
    np.testing.assert_allclose(received, resized.numpy().transpose(0, 2, 3, 1), atol=1e-5)


@pytest.mark.parametrize(
    "name, classifier, count",
    [("deeplabv3plus_mobilenet_v2", "mobilenet_v2", 104), ("deeplabv3plus_resnet18", "resnet18", 40)],
)
def test_a_backbone_starts_from_a_classifier(name, classifier, count):
    from kerazoo.weights.backbones import backbone_name, start_from

    assert backbone_name(name, ["mobilenet_v2", "resnet18"]) == classifier
    source, model = kerazoo.build(classifier, seed=1), kerazoo.build(name, seed=2, **SIDE)
    given = start_from(model, source)
    assert len(given) == count
    encoder = [layer.name for layer in model.layers if layer.weights][:count]
    assert sorted(given) == sorted(encoder) and all(
        (one == other).all()
        for layer in given
        for one, other in zip(model.get_layer(layer).get_weights(), source.get_layer(layer).get_weights())
    )
    with pytest.raises(ValueError, match="none in common"):
        start_from(kerazoo.build("segformer_b0", **SIDE), source)
    with pytest.raises(ValueError, match="It must be one of: mobilenet_v2"):
        backbone_name("segformer_b0", ["mobilenet_v2"])


@pytest.mark.parametrize("height, width, factor", [(3, 5, 4), (1, 2, 3), (4, 4, 1)])
def test_upsampling_keeps_the_corners(height, width, factor):
    maps = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")
    received = keras.ops.convert_to_numpy(AlignedUpsampling2D(factor)(maps))
    for axis, size in ((1, height), (2, width)):
        places = np.linspace(0, size - 1, factor * size)
        low = np.minimum(places.astype(int), max(size - 2, 0))
        share = np.expand_dims(places - low, [i for i in range(4) if i != axis])
        high = np.minimum(low + 1, size - 1)
        maps = np.take(maps, low, axis) * (1 - share) + np.take(maps, high, axis) * share
    np.testing.assert_allclose(received, maps, atol=1e-6)


def test_upsampling_is_saved_in_safe_mode(tmp_path):
    image = keras.Input((3, 4, 2))
    model = keras.Model(image, AlignedUpsampling2D(2)(image))
    model.save(tmp_path / "model.keras")
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    np.testing.assert_array_equal(model(maps), keras.saving.load_model(tmp_path / "model.keras")(maps))
    with pytest.raises(ValueError, match="`factor` must be a positive integer"):
        AlignedUpsampling2D(0)
    with pytest.raises(ValueError, match="known height and width"):
        AlignedUpsampling2D(2)(keras.Input((None, 4, 2)))


SMALL = {
    "unet": {"width": 4, "depth": 2},
    "unet_resnet34": {"width": 4, "depths": (1, 1), "decoder": (4, 4, 4)},
    "deeplabv3plus_resnet50": {"width": 4, "depths": (1, 1, 1, 1), "filters": 8, "low": 4},
    "deeplabv3plus_mobilenet_v2": {"width": 0.25, "filters": 8, "low": 4},
    "fast_scnn": {"stem": (4, 4, 8), "stages": ((8, 1, 2), (8, 1, 2), (8, 1, 1)), "filters": 8},
    "segformer_b0": {"widths": (4, 4, 4, 4), "depths": (1, 1, 1, 1), "heads": (1, 1, 1, 1), "decoder": 8},
}


@pytest.mark.parametrize("name", SMALL)
def test_pixels_labelled_void_do_not_count(name):
    model = kerazoo.build(name, input_shape=(32, 32, 3), num_classes=3, **SMALL[name])
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 255, (2, 32, 32, 3)).astype("float32"), rng.integers(0, 3, (2, 32, 32))
    logits = model(images)
    void = labels.copy()
    void[:, 16:] = 255
    by_hand = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels[:, :16], logits[:, :16])
    loss, miou = model.evaluate(images, void, verbose=0)
    np.testing.assert_allclose(loss, by_hand, rtol=1e-4)
    answers, truth = np.argmax(logits[:, :16], -1), labels[:, :16]
    overlaps = [((answers == c) & (truth == c)).sum() / ((answers == c) | (truth == c)).sum() for c in range(3)]
    np.testing.assert_allclose(miou, np.mean(overlaps), rtol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_one_class_learns_ones_and_zeros(name):
    model = kerazoo.build(name, input_shape=(32, 32, 3), num_classes=1, **SMALL[name])
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    labels = (images.mean(axis=-1, keepdims=True) > 127).astype("float32")
    history = model.fit(images, labels, epochs=2, verbose=0).history
    assert model.output_shape == (None, 32, 32, 1) and np.isfinite(history["loss"]).all() and "mean_iou" in history


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("unet", {"padding": "full"}, "`padding` must be one of"),
        ("unet", {"input_shape": (100, 96, 3)}, "multiples of 16"),
        ("unet", {"input_shape": (100, 100, 1), "padding": "valid"}, "even height and width after stage 4"),
        ("unet_resnet34", {"input_shape": (64, 65, 3)}, "multiples of 32"),
        ("unet_resnet34", {"decoder": (8, 8)}, "one stage more than `depths`"),
        ("deeplabv3plus_resnet50", {"input_shape": (72, 64, 3)}, "multiples of 16"),
        ("segformer_b0", {"input_shape": (48, 64, 3)}, "multiples of 32"),
        ("segformer_b0", {"heads": (3, 2, 5, 8)}, "`heads` must divide `widths`"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)
