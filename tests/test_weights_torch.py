"""PyTorch state dicts: read without PyTorch and without running pickles, whole or not at all, equal in answer."""

import collections
import copy
import pickle
import sys
import tracemalloc
import types
import zipfile

import keras
import numpy as np
import pytest
from torch_archives import Call, Global, Pickler, Storage, rebuilt, write_archive, write_legacy, write_pth

import kerazoo
from kerazoo.weights import torch_pickles
from kerazoo.weights.torch_files import read_tensors

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)
CIFAR = ((125.3 / 255, 123 / 255, 113.9 / 255), (63 / 255, 62.1 / 255, 66.7 / 255))
SMALL = {"depth": 8, "width": 8, "input_shape": (16, 16, 3), "num_classes": 4}  # A resnet20 made small.


def resnet20_tensors(rng, classes=4):
    """A random state dict of the SMALL resnet20, under akamaster's names."""
    tensors = {}

    def conv_bn(number, prefix, inputs, filters):
        tensors[f"{prefix}conv{number}.weight"] = rng.normal(size=(filters, inputs, 3, 3)) * (2 / 9 / filters) ** 0.5
        norm = f"{prefix}bn{number}"
        tensors[f"{norm}.weight"] = rng.uniform(0.5, 1.0, filters)
        tensors[f"{norm}.bias"] = rng.uniform(-0.2, 0.2, filters)
        tensors[f"{norm}.running_mean"] = rng.normal(size=filters) * 0.1
        tensors[f"{norm}.running_var"] = rng.uniform(0.7, 1.3, filters)

    conv_bn(1, "", 3, 8)
    for stage, (inputs, filters) in enumerate(((8, 8), (8, 16), (16, 32)), start=1):
        conv_bn(1, f"layer{stage}.0.", inputs, filters)
        conv_bn(2, f"layer{stage}.0.", filters, filters)
    tensors |= {"linear.weight": rng.normal(size=(classes, 32)), "linear.bias": rng.normal(size=classes)}
    return {name: tensor.astype("float32") for name, tensor in tensors.items()}


def arrays(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_archive_without_torch(tmp_path, monkeypatch, rng, wrapper):
    monkeypatch.setitem(sys.modules, "torch", None)  # An import of it would fail.
    tensors = resnet20_tensors(rng)
    prefix = "module." if wrapper == "state_dict" else ""
    written = {prefix + name: tensor for name, tensor in tensors.items()}
    path = write_pth(tmp_path / "w.pth", written, wrapper=wrapper)
    model = kerazoo.weights.from_torch("resnet20", path, **SMALL)
    for name, weight, axes in (
        ("stem_conv", "conv1.weight", (2, 3, 1, 0)),
        ("stage3_block1_2_conv", "layer3.0.conv2.weight", (2, 3, 1, 0)),
        ("logits", "linear.weight", (1, 0)),
    ):
        assert np.array_equal(model.get_layer(name).kernel, tensors[weight].transpose(axes))
    norm = model.get_layer("stage2_block1_1_bn")
    assert np.array_equal(norm.moving_variance, tensors["layer2.0.bn1.running_var"])
    images = rng.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    answers = keras.ops.convert_to_numpy(model(images))
    assert np.isfinite(answers).all() and np.abs(answers[0] - answers[1]).max() > 1e-2


def test_build_takes_the_file_too(tmp_path, rng):
    path = write_pth(tmp_path / "w.pth", resnet20_tensors(rng))
    named, built = (
        kerazoo.weights.from_torch("resnet20", path, **SMALL),
        kerazoo.build("resnet20", weights=path, **SMALL),
    )
    assert all(np.array_equal(*pair) for pair in zip(named.get_weights(), built.get_weights()))
    body = kerazoo.backbone("resnet20", weights=str(path), **SMALL)
    assert np.array_equal(body.get_layer("stem_conv").kernel, built.get_layer("stem_conv").kernel)
    with pytest.raises(ValueError, match="ends in .keras, .h5, .safetensors, .pth, .pt"):
        kerazoo.build("resnet20", weights=tmp_path / "w.bin")


def test_safetensors_equals_archive(tmp_path, rng):
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = resnet20_tensors(rng)
    safetensors.save_file(tensors, tmp_path / "w.safetensors")
    write_pth(tmp_path / "w.pth", tensors)
    first, second = read_tensors(tmp_path / "w.safetensors"), read_tensors(tmp_path / "w.pth")
    assert sorted(first) == sorted(second) == sorted(tensors)
    assert all(np.array_equal(first[name], second[name]) for name in tensors)


def test_missing_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "w.safetensors").write_bytes(b"\0" * 16)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r'pip install "kerazoo\[torch\]"'):
        read_tensors(tmp_path / "w.safetensors")


def test_another_head_starts_fresh(tmp_path, rng):
    path = write_pth(tmp_path / "w.pth", resnet20_tensors(rng, classes=9))
    with pytest.warns(UserWarning, match="start fresh: logits"):
        model = kerazoo.weights.from_torch("resnet20", path, **SMALL)
    assert model.output_shape == (None, 4)
    assert not np.any(model.get_layer("logits").bias)
    assert np.ptp(arrays([model.get_layer("stem_bn").gamma])[0]) > 0


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda tensors: tensors.pop("layer2.0.conv1.weight"), r"1 missing \(layer2.0.conv1.weight\)"),
        (lambda tensors: tensors.update({"extra.weight": np.ones(3)}), r"1 unexpected \(extra.weight\)"),
        (lambda tensors: tensors.update({"bn1.bias": np.ones(3)}), r"1 of another shape or type \(bn1.bias \(3,\) for"),
        (lambda tensors: tensors.update({"conv1.weight": np.ones(3)}), r"1 of another shape or type \(conv1.weight"),
    ],
)
def test_misfits_load_nothing(tmp_path, rng, change, said):
    from kerazoo.weights.torch import load_tensors
    from kerazoo.weights.torch_names import resnet_cifar

    tensors = resnet20_tensors(rng)
    change(tensors)
    model = kerazoo.build("resnet20", **SMALL)
    before = arrays(model.weights)
    with pytest.raises(ValueError, match=said):
        load_tensors(model, tensors, resnet_cifar.names, path="w.pth")
    assert all(np.array_equal(old, new) for old, new in zip(before, arrays(model.weights), strict=True))


def test_counters_of_batches_are_ignored(tmp_path, rng):
    tensors = resnet20_tensors(rng) | {"bn1.num_batches_tracked": np.array(7.0)}
    kerazoo.weights.from_torch("resnet20", write_pth(tmp_path / "w.pth", tensors), **SMALL)


def test_malicious_pickle_is_refused_and_not_run(tmp_path):
    target = tmp_path / "proof"
    content = {"conv1.weight": Call(Global("os", "system"), f"touch {target}")}
    path = write_archive(tmp_path / "w.pth", content, {})
    with pytest.raises(ValueError, match=r"asks for os\.system, and only tensors are read"):
        read_tensors(path)
    assert not target.exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "__import__"])
def test_builtins_are_refused(tmp_path, name):
    path = write_archive(tmp_path / "w.pth", {"a": Call(Global("builtins", name), "1")}, {})
    with pytest.raises(ValueError, match=f"asks for builtins.{name}"):
        read_tensors(path)


ONES = np.ones(6, "float32")


@pytest.mark.parametrize(
    "tensor",
    [
        rebuilt("0", ONES, offset=1),  # One element behind the end.
        rebuilt("0", ONES, strides=(2,)),
        rebuilt("0", ONES, strides=(-1,)),
        rebuilt("0", ONES, offset=-1),
        rebuilt("0", np.empty((1000, 1000), "float32"), elements=6, strides=(0, 0)),  # A bomb of repeated elements.
        rebuilt("0", ONES, elements=7),
        rebuilt("0", ONES, kind="DoubleStorage"),
        rebuilt("../0", ONES),
        rebuilt("1", ONES),  # No such member.
    ],
)
def test_tensors_outside_their_storage_are_refused(tmp_path, tensor):
    path = write_archive(tmp_path / "w.pth", {"a": tensor}, {"0": ONES})
    with pytest.raises(ValueError, match="damaged or refused"):
        read_tensors(path)


def test_views_of_one_storage(tmp_path):
    numbers = np.arange(12, dtype="float32")
    columns = rebuilt("0", np.empty((3, 2), "float32"), elements=12, offset=1, strides=(4, 2))
    path = write_archive(tmp_path / "w.pth", {"a": columns}, {"0": numbers})
    assert read_tensors(path)["a"].tolist() == [[1, 3], [5, 7], [9, 11]]


def test_bfloat16_is_widened(tmp_path):
    numbers = np.array([1.5, -2.0, 0.15625], "float32")
    halves = (numbers.view("uint32") >> 16).astype("uint16")
    path = write_archive(tmp_path / "w.pth", {"a": rebuilt("0", halves, kind="BFloat16Storage")}, {"0": halves})
    assert read_tensors(path)["a"].tolist() == numbers.tolist()


def test_archives_are_bounded(tmp_path, monkeypatch):
    path = write_archive(tmp_path / "a.pth", {"a": rebuilt("0", ONES)}, {"0": ONES}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        read_tensors(path)
    path = write_archive(tmp_path / "b.pth", {"a": rebuilt("0", ONES)}, {"0": ONES})
    monkeypatch.setattr(torch_pickles, "LARGEST_PICKLE", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_tensors(path)


FUNCTION = b"ctorch._utils\n_rebuild_tensor_v2\n"
STATE = b"}U\x04markU\x01xs"
# Operations by which a pickle could leave a mark on what it was given, or hang or end the process.
FORGED = {
    "a state for a function": (FUNCTION + STATE + b"b.", "gives a state"),
    "slots for a function": (FUNCTION + b"N" + STATE + b"\x86b.", "gives a state"),
    "a state for a class": (b"ccollections\nOrderedDict\n" + STATE + b"b.", "gives a state"),
    "a state for a tensor": (b"ctorch\nFloatStorage\n" + STATE + b"b.", "gives a state"),
    "an item in a function": (FUNCTION + b"U\x01aK\x01s.", "damaged"),
    "items in a class": (b"ccollections\nOrderedDict\n(U\x01aK\x01u.", "damaged"),
    "an attribute of the reader": (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "only tensors are read"),
    "an object": (b"ccollections\nOrderedDict\n)\x81.", "makes what cannot be made"),
    "an object from arguments": (b"ccollections\nOrderedDict\n]\x85\x81.", "from arguments"),
    "a class of before": (b"(icollections\nOrderedDict\n.", "operation INST"),
    "a class and arguments": (b"(ccollections\nOrderedDict\no.", "operation OBJ"),
    "an extension": (b"\x82\x01.", "operation EXT1"),
    "a call of a string": (b"U\x01a)R.", "calls what cannot be called"),
    "a call of a storage": (b"ctorch\nFloatStorage\n)R.", "calls what cannot be called"),
    "a key that is a tuple": (b"})\x85" + b"\x85" * 200_000 + b"K\x01s.", "a key must be"),
    "a persistent identifier that is nested": (b")" + b"\x85" * 200_000 + b"Q.", "damaged"),
    "a memo of another's": (b"h\x07.", "damaged"),
    "a mark for a value": (b"(}q\x00h\x00s.", "damaged"),
    "a number of many digits": (b"I" + b"9" * 10_000 + b"\n.", "damaged|refused"),
    "no end": (b"}", "damaged|no end|exhausted"),
    "more than one value": (b"}}.", "damaged"),
}


@pytest.mark.parametrize("kind", FORGED)
@pytest.mark.parametrize("old", [False, True], ids=["archive", "before 1.6"])
def test_forged_pickles_leave_no_mark(tmp_path, kind, old):
    """The reader has no attribute dictionary to write into, and imports, makes and calls nothing."""
    from kerazoo.weights import pickles

    content, reason = FORGED[kind]
    path = tmp_path / "w.pth"
    if old:
        with path.open("wb") as file:
            for item in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
                Pickler(file, protocol=2).dump(item)
            file.write(b"\x80\x02" + content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + content)
    functions = [value for part in (torch_pickles, pickles) for value in _functions(part)]
    before = [dict(vars(function)) for function in functions]
    with pytest.raises(ValueError, match=reason) as caught:
        read_tensors(path)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)
    assert [dict(vars(function)) for function in functions] == before
    assert len(functions) > 10 and not hasattr(collections.OrderedDict, "mark")


def _functions(module):
    """The functions of a module and of its classes."""
    for value in vars(module).values():
        if isinstance(value, types.FunctionType):
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            yield from (part for part in vars(value).values() if isinstance(part, types.FunctionType))


def test_memo_numbers_cost_nothing(tmp_path):
    """Python's unpickler would reserve memory up to the number."""
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}r\xff\xff\xff\x7f.")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="holds no tensors"):
            read_tensors(tmp_path / "w.pth")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_members_that_share_bytes_are_refused(tmp_path):
    """A small archive whose directory names the same bytes many times."""
    path = write_archive(tmp_path / "w.pth", {"a": rebuilt("0", np.zeros(10_000, "float32"))}, {"0": np.zeros(10_000)})
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.getinfo("archive/data/0")
        for key in range(1, 99):
            other = copy.copy(first)
            other.filename = f"archive/data/{key}"
            archive.filelist.append(other)
        archive._didModify = True
    with pytest.raises(ValueError, match="damaged or refused: its members take"):
        read_tensors(path)


def test_many_views_of_one_storage_are_refused(tmp_path):
    """Tables of names may copy tensors: what looks like many cannot come from few bytes."""
    numbers = np.zeros(50_000, "float32")
    content = {str(key): rebuilt("0", numbers) for key in range(40)}
    path = write_archive(tmp_path / "w.pth", content, {"0": numbers})
    with pytest.raises(ValueError, match="many more elements than the file"):
        read_tensors(path)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_truncated_files(tmp_path, rng, keep):
    path = write_pth(tmp_path / "w.pth", resnet20_tensors(rng))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match=r"w\.pth"):
        read_tensors(path)


def test_files_of_before_1_6(tmp_path, rng):
    tensors = resnet20_tensors(rng)
    received = read_tensors(write_legacy(tmp_path / "old.pth", tensors))
    assert list(received) == list(tensors)
    assert all(np.array_equal(received[name], tensors[name]) for name in tensors)


def test_torch_itself_writes_what_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}
    for new in (False, True):
        torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
        received = read_tensors(tmp_path / "w.pth")
        assert received["a"].tolist() == [[0, 3], [1, 4], [2, 5]] and received["b"].tolist() == [1.5, -2]


@pytest.mark.parametrize("keep", [0.001, 0.2, 0.6, 0.999])
def test_truncated_files_of_before_1_6(tmp_path, rng, keep):
    path = write_legacy(tmp_path / "old.pth", resnet20_tensors(rng))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match=r"old\.pth is damaged or refused"):
        read_tensors(path)


def test_forged_files_of_before_1_6(tmp_path):
    other = {"a": Call(Global("os", "system"), "touch pwned")}
    huge = {"a": rebuilt("0", ONES, elements=10**15)}
    cases = [
        (other, ["0"], "only tensors are read"),
        (huge, ["0"], "which the file cannot hold"),
        ({"a": rebuilt("0", ONES)}, [Storage("0", "FloatStorage", 1)], "named where no tensors are"),
        ({"a": rebuilt("0", ONES)}, 5, "damaged or refused"),
    ]
    for content, keys, reason in cases:
        with (tmp_path / "old.pth").open("wb") as file:
            for item in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, keys):
                Pickler(file, protocol=2).dump(item)
        with pytest.raises(ValueError, match=reason):
            read_tensors(tmp_path / "old.pth")
    with pytest.raises(ValueError, match="not one that torch.save wrote"):
        read_tensors(write_legacy(tmp_path / "old.pth", {"a": ONES}, version=1002))


def test_other_content(tmp_path):
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    with pytest.raises(ValueError, match="damaged or refused"):
        read_tensors(tmp_path / "old.pth")
    path = write_archive(tmp_path / "optimizer.pth", {"state_dict": {"a": rebuilt("0", ONES), "lr": 0.1}}, {"0": ONES})
    with pytest.raises(ValueError, match="Received other values, under: 'lr'"):
        read_tensors(path)
    with pytest.raises(ValueError, match="must end in one of"):
        read_tensors(write_archive(tmp_path / "w.bin", {}, {}))
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pth")


def test_errors_name_the_choices(tmp_path):
    with pytest.raises(ValueError, match=r"family with PyTorch names \(of 'lenet5'\).*resnet_cifar"):
        kerazoo.weights.from_torch("lenet5", tmp_path / "w.pth")
    with pytest.raises(ValueError, match="Did you mean .*'resnet50'"):
        kerazoo.weights.from_torch("resnet5o", tmp_path / "w.pth")
    with pytest.raises(ValueError, match="Received: weights='imagenet' too"):
        kerazoo.weights.from_torch("resnet50", tmp_path / "w.pth", weights="imagenet")
    with pytest.raises(ValueError, match="must end in one of .safetensors, .pth, .pt"):
        kerazoo.weights.from_torch("resnet50", tmp_path / "w.keras")


# Equality with PyTorch, to 1e-4 where logits are of size one. He's deviation makes those of deep residual nets
# larger, and the rounding with them; float32 sums in another order differ by a few 1e-6 of the size.


def assert_equal(net, name, path, pixels_as, *, size, **arguments):
    """`name` filled from the net's state dict answers random images as the net, and differently each."""
    import torch
    from torch_references import images, logits, randomized

    net = randomized(net)
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path)
    model = kerazoo.weights.from_torch(name, path, input_shape=(size, size, 3), **arguments)
    pixels = images(3, size)
    wanted = logits(net, pixels, *pixels_as)
    size_of_answers = max(1.0, float(wanted.std()))
    assert np.abs(wanted[0] - wanted[1]).max() > 0.1 * size_of_answers
    error = np.abs(keras.ops.convert_to_numpy(model(pixels)) - wanted).max()
    assert error < 1e-4 * size_of_answers, error
    print(f"{name}: max error {error:.1e}, logits of deviation {wanted.std():.2f}")


@pytest.fixture(scope="module")
def references():
    pytest.importorskip("torch")
    import torch_references

    return torch_references


@pytest.fixture(scope="module")
def torchvision(references):
    try:
        return references.torchvision()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def timm(torchvision):  # It imports torchvision.
    return pytest.importorskip("timm")


@pytest.mark.parametrize("block, depths", [("BasicBlock", (2, 1, 1, 1)), ("Bottleneck", (1, 1, 2, 1))])
def test_resnet_equals_torchvision(tmp_path, torchvision, block, depths):
    net = torchvision.models.resnet.ResNet(getattr(torchvision.models.resnet, block), depths, num_classes=7)
    arguments = {"block": block.removesuffix("Block").lower(), "depths": depths, "num_classes": 7}
    assert_equal(net, "resnet18", tmp_path / "w.pth", IMAGENET, size=64, **arguments)


def test_resnet_cifar_equals_option_a(tmp_path, references):
    net = references.CifarResNet(14)
    assert_equal(net, "resnet20", tmp_path / "w.pth", IMAGENET, size=32, depth=14)


def test_wide_resnet_equals_pytorch(tmp_path, references):
    net = references.WideResNet(16, 2)
    assert_equal(net, "wide_resnet28_10", tmp_path / "w.pth", CIFAR, size=32, depth=16, widen=2)


def test_vit_equals_timm(tmp_path, timm):
    net = timm.create_model("vit_tiny_patch16_224", depth=2, img_size=64, num_classes=7)
    path = tmp_path / "w.safetensors"
    assert_equal(net, "vit_ti16", path, HALF, size=64, depth=2, num_classes=7)


def test_vit_equals_torchvision(tmp_path, torchvision):
    net = torchvision.models.VisionTransformer(64, 16, 2, 4, 96, 384, num_classes=7)
    shape = {"depth": 2, "width": 96, "heads": 4, "num_classes": 7}
    assert_equal(net, "vit_b16", tmp_path / "w.pth", IMAGENET, size=64, normalization="imagenet", **shape)


@pytest.mark.parametrize("size", [(32, 48), (96, 80)])
def test_vit_positions_are_resampled_as_timm_does(tmp_path, timm, size):
    import torch
    from timm.models.vision_transformer import checkpoint_filter_fn

    net = timm.create_model("vit_tiny_patch16_224", depth=1, img_size=64)
    torch.nn.init.normal_(net.pos_embed)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    other = timm.create_model("vit_tiny_patch16_224", depth=1, img_size=size)
    wanted = checkpoint_filter_fn(net.state_dict(), other)["pos_embed"].detach().numpy()
    model = kerazoo.weights.from_torch("vit_ti16", tmp_path / "w.pth", depth=1, input_shape=(*size, 3))
    received = arrays(model.get_layer("position_embedding").weights)[0]
    assert np.abs(received - wanted).max() < 1e-4  # Of values of size one; the cubic sums run in another order.


def test_convnext_equals_torchvision(tmp_path, torchvision):
    setting = torchvision.models.convnext.CNBlockConfig
    blocks = [setting(16, 32, 1), setting(32, 48, 2), setting(48, None, 1)]
    net = torchvision.models.ConvNeXt(blocks, num_classes=7)
    shape = {"depths": (1, 2, 1), "widths": (16, 32, 48), "num_classes": 7}
    assert_equal(net, "convnext_tiny", tmp_path / "w.pth", IMAGENET, size=48, **shape)


def test_convnext_equals_timm(tmp_path, timm):
    shape = {"depths": (1, 1, 2, 1), "num_classes": 7}
    net = timm.models.ConvNeXt(dims=(16, 24, 32, 40), **shape)
    assert_equal(net, "convnext_tiny", tmp_path / "w.pth", IMAGENET, size=64, widths=(16, 24, 32, 40), **shape)


def test_mlp_mixer_equals_timm(tmp_path, timm):
    net = timm.models.MlpMixer(img_size=64, num_blocks=2, embed_dim=96, num_classes=7)
    assert_equal(net, "mlp_mixer_s16", tmp_path / "w.pth", HALF, size=64, width=96, depth=2, num_classes=7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "convnext_tiny"])
def test_full_size_equals_torchvision(tmp_path, torchvision, name):
    assert_equal(getattr(torchvision.models, name)(), name, tmp_path / "w.pth", IMAGENET, size=224)


@pytest.mark.slow
@pytest.mark.parametrize("name, theirs", [("vit_b16", "vit_base_patch16_224"), ("mlp_mixer_s16", "mixer_s16_224")])
def test_full_size_equals_timm(tmp_path, timm, name, theirs):
    assert_equal(timm.create_model(theirs), name, tmp_path / "w.pth", HALF, size=224)


@pytest.mark.slow
def test_full_size_wide_resnet(tmp_path, references):
    assert_equal(references.WideResNet(28, 10), "wide_resnet28_10", tmp_path / "w.pth", CIFAR, size=32)
