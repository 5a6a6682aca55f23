"""ViT, MLP-Mixer, ConvNeXt, Wide ResNet: published sizes, other image sizes, features, stochastic depth, errors."""

import keras
import numpy as np
import pytest

import kerazoo

# The smallest of each family in every run; the others take gigabytes and minutes. `params` of each variant is
# also what `kerazoo verify` checks.
PARAMETERS = [
    ("vit_ti16", 5_717_416),
    ("convnext_tiny", 28_589_128),
    ("mlp_mixer_s16", 18_528_264),
    pytest.param("vit_s16", 22_050_664, marks=pytest.mark.slow),
    pytest.param("vit_b16", 86_567_656, marks=pytest.mark.slow),
    pytest.param("vit_l16", 304_326_632, marks=pytest.mark.slow),
    pytest.param("convnext_small", 50_223_688, marks=pytest.mark.slow),
    pytest.param("convnext_base", 88_591_464, marks=pytest.mark.slow),
    pytest.param("mlp_mixer_b16", 59_880_472, marks=pytest.mark.slow),
    pytest.param("wide_resnet28_10", 36_479_194, marks=pytest.mark.slow),
]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("name, params", PARAMETERS)
def test_published_parameters(name, params):
    trainable = sum(int(np.prod(variable.shape)) for variable in kerazoo.build(name).trainable_variables)
    assert trainable == params == kerazoo.info(name)["params"]


@pytest.mark.parametrize(
    "name, arguments, wanted",
    [
        ("vit_ti16", {"depth": 1}, {"stride_16": (None, 2, 3, 192)}),
        ("mlp_mixer_s16", {"depth": 1}, {"stride_16": (None, 2, 3, 512)}),
        (
            "convnext_tiny",
            {"depths": (1, 1, 2, 1), "widths": (8, 16, 24, 32)},
            {
                "stride_4": (None, 8, 12, 8),
                "stride_8": (None, 4, 6, 16),
                "stride_16": (None, 2, 3, 24),
                "stride_32": (None, 1, 1, 32),
            },
        ),
        (
            "wide_resnet28_10",
            {"depth": 10, "widen": 2},
            {"stride_1": (None, 32, 48, 32), "stride_2": (None, 16, 24, 64), "stride_4": (None, 8, 12, 128)},
        ),
    ],
)
def test_backbones_of_oblong_images(name, arguments, wanted):
    backbone = kerazoo.backbone(name, input_shape=(32, 48, 3), **arguments)
    assert {key: tuple(tensor.shape) for key, tensor in backbone.output.items()} == wanted
    outputs = backbone(np.random.default_rng(0).uniform(0, 255, (2, 32, 48, 3)).astype("float32"))
    assert all(np.ptp(numpy(tensor)) > 0 for tensor in outputs.values())


def test_patch_features_keep_their_place():
    """The map's rows and columns are the image's: with no attention between them, a pixel moves its own patch."""
    backbone = kerazoo.backbone("vit_ti16", depth=0, input_shape=(32, 48, 3))
    image = np.full((1, 32, 48, 3), 100.0, "float32")
    changed = image.copy()
    changed[0, 20, 40] = 255
    moved = np.abs(numpy(backbone(changed)["stride_16"] - backbone(image)["stride_16"])).max(-1)[0]
    assert np.argwhere(moved > 1e-6).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("vit_ti16", {"width": 16, "depth": 2, "heads": 2, "patch": 4}),
        ("mlp_mixer_s16", {"width": 16, "depth": 2, "patch": 4}),
        ("convnext_tiny", {"depths": (1, 1), "widths": (8, 16), "layer_scale": 1.0}),
    ],
)
def test_stochastic_depth_drops_whole_branches_in_training_alone(name, arguments):
    model = kerazoo.build(name, stochastic_depth=0.5, input_shape=(16, 16, 3), num_classes=4, seed=0, **arguments)
    image = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 3)).astype("float32")
    images = np.repeat(image, 64, axis=0)
    assert np.ptp(numpy(model(images)), axis=0).max() < 1e-5
    logits = numpy(model(images, training=True)).round(3)
    branches = 1 if name.startswith("convnext") else 2  # Only the last block's have a rate above zero.
    assert len(np.unique(logits, axis=0)) == 2**branches


def test_dropout_is_off_unless_asked_for():
    shape = {"width": 16, "depth": 2, "heads": 2, "input_shape": (32, 32, 3)}
    for asked, layers in (({}, 0), ({"dropout": 0.1}, 1 + 2 * 3)):  # Positions; projection and both of the perceptron.
        model = kerazoo.build("vit_ti16", **shape, **asked)
        assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == layers


def test_weight_decay_survives_building():
    model = kerazoo.build("vit_ti16", width=16, depth=1, heads=2, input_shape=(32, 32, 3), num_classes=4)
    before = {variable.path: numpy(variable) for variable in model.trainable_variables}
    model.optimizer.build(model.trainable_variables)
    model.optimizer.apply([np.zeros(v.shape, "float32") for v in model.trainable_variables])
    moved = {path for path, old in before.items() if not np.array_equal(old, numpy(variable_of(model, path)))}
    assert moved == {path for path in before if path.endswith("/kernel")}


def variable_of(model, path):
    return next(variable for variable in model.trainable_variables if variable.path == path)


@pytest.mark.parametrize(
    "name, arguments, said",
    [
        ("vit_ti16", {"input_shape": (30, 32, 3)}, "whole patches of 16 pixels"),
        ("vit_ti16", {"heads": 5}, "`heads` must divide `width`=192"),
        ("vit_ti16", {"normalization": "zero"}, "`normalization` must be one of"),
        ("mlp_mixer_s16", {"input_shape": (32, 40, 3)}, "whole patches of 16 pixels"),
        ("convnext_tiny", {"widths": (8, 16)}, "one for each of the 4 stages"),
        ("convnext_tiny", {"input_shape": (16, 64, 3)}, "at least 32 by 32"),
        ("wide_resnet28_10", {"depth": 26}, "6n \\+ 4"),
    ],
)
def test_errors(name, arguments, said):
    with pytest.raises(ValueError, match=said):
        kerazoo.build(name, **arguments)
