"""Small valid files of every format that kerazoo reads, how each is read, and files that try to do harm.

Nothing of it is committed as a binary file: everything is written when a test asks for it.
"""

import bz2
import copy
import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import keras
import lz4.frame
import numpy as np
import pandas
import torch_archives
from PIL import Image

import kerazoo
from kerazoo.data import archives, decode, idx, labelled_files, series, tables
from kerazoo.faces.gallery import Gallery
from kerazoo.model_files import load_model
from kerazoo.weights import files, gguf_files, torch_files
from kerazoo.weights.sources import FromArrays
from kerazoo.weights.torch import load_tensors
from kerazoo.weights.torch_names import llama as llama_names

PIECES = ["<|endoftext|>", *"abcdefg"]
LLAMA = {"depth": 1, "width": 8, "hidden": 8, "heads": 2, "key_heads": 1, "context": 8}
LLAMA |= {"vocabulary_size": len(PIECES)}


# Models that files are read into.


def dense_model():
    """Two dense layers, (B, 4) -> (B, 3)."""
    inputs = keras.Input((4,), name="features")
    outputs = keras.layers.Dense(3, name="second")(keras.layers.Dense(5, activation="relu", name="first")(inputs))
    return keras.Model(inputs, outputs, name="dense")


def llama_model():
    return kerazoo.build("smollm2_135m", jit_compile=False, seed=1, **LLAMA)


def torch_names(model, received):
    return {"first": "first", "second": "second"}


def tensors_of(model):
    """A state dict of `dense_model`."""
    found = {}
    for layer in ("first", "second"):
        kernel, bias = model.get_layer(layer).get_weights()
        found |= {f"{layer}.weight": np.ascontiguousarray(kernel.T), f"{layer}.bias": bias}
    return found


# Valid files: each function writes one at `path`.


def write_h5(path, model):
    model.save_weights(path)


def write_keras(path, model):
    model.save(path)


def write_pth(path, model):
    torch_archives.write_pth(path, tensors_of(model))


def write_old_pth(path, model):
    torch_archives.write_legacy(path, tensors_of(model))


def write_safetensors(path, model):
    from safetensors.numpy import save_file

    save_file(tensors_of(model), path)


def write_joblib(path, model):
    """As joblib writes a list of arrays; here without joblib, of which the project needs nothing else."""
    path.write_bytes(lz4.frame.compress(joblib_content([np.asarray(weight) for weight in model.get_weights()])))


def joblib_content(arrays, shape=None):
    content = io.BytesIO()
    content.write(b"\x80\x04]\x94(")
    for array in arrays:
        sizes = array.shape if shape is None else shape
        content.write(b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(")
        content.write(pickle_of("shape") + pickle_of(sizes) + pickle_of("order") + pickle_of("C"))
        content.write(pickle_of("dtype") + b"cnumpy\ndtype\n" + pickle_of(("f4", False, True)) + b"R")
        content.write(pickle_of((3, "<", None, None, None, -1, -1, 0)) + b"bub\x01\0" + array.tobytes())
    return content.getvalue() + b"e."


def pickle_of(value):
    """The operations that put a value on the stack."""
    return pickle.dumps(value, protocol=2)[2:-1]


def write_gguf(path, model):
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LLAMA["depth"])
    writer.add_embedding_length(LLAMA["width"])
    writer.add_feed_forward_length(LLAMA["hidden"])
    writer.add_head_count(LLAMA["heads"])
    writer.add_head_count_kv(LLAMA["key_heads"])
    writer.add_context_length(LLAMA["context"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(PIECES)
    writer.add_token_merges(["a b"])
    writer.add_token_types([3] + [1] * (len(PIECES) - 1))
    writer.add_eos_token_id(0)
    width, keys = LLAMA["width"], LLAMA["width"] // 2
    shapes = dict.fromkeys(gguf_files.PARTS, (width, width)) | {"attn_norm": (width,), "ffn_norm": (width,)}
    shapes |= {"attn_k": (keys, width), "attn_v": (keys, width)}
    shapes = {f"blk.0.{part}.weight": shape for part, shape in shapes.items()}
    shapes |= {"token_embd.weight": (len(PIECES), width), "output_norm.weight": (width,)}
    for name, shape in shapes.items():
        writer.add_tensor(name, np.full(shape, 0.25, "float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_zip(path, model):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.txt", "one " * 50)
        archive.writestr("a/two.txt", "two")


def write_tar(path, model, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in (("a/one.txt", b"one " * 50), ("a/two.txt", b"two")):
            facts = tarfile.TarInfo(name)
            facts.size = len(content)
            archive.addfile(facts, io.BytesIO(content))


def write_gallery(path, model):
    gallery = Gallery(threshold=0.5)
    gallery.enroll("anna", [[1.0, 0.0], [0.6, 0.8]])
    gallery.enroll("ben", [[0.0, 1.0]])
    gallery.save(path)


def write_ts(path, model):
    head = "@problemName waves\n@dimensions 2\n@seriesLength 3\n@classLabel true up down\n@data\n"
    path.write_text(head + "1,2,3:4,5,6:up\n3,2,1:?,2,3:down\n", encoding="utf-8")


def write_idx(path, model):
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + bytes(range(24)))


def write_packed_idx(path, model):
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + bytes(range(24))))


def write_csv(path, model):
    rows = "".join(f"2024-01-{day:02},{day * 1.5},{'ab'[day % 2]}\n" for day in range(1, 21))
    path.write_text("when,load,kind\n" + rows, encoding="utf-8")


def write_packed_csv(path, model):
    write_csv(path, model)
    path.write_bytes(gzip.compress(path.read_bytes()))


def write_parquet(path, model):
    days = pandas.date_range("2024-01-01", periods=20)
    pandas.DataFrame({"when": days, "load": np.arange(20.0), "kind": ["a", "b"] * 10}).to_parquet(path)


def write_image(path, model):
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3)).astype("uint8")
    Image.fromarray(pixels).save(path)


# How each is read: a function of (path, model), which raises, or else has filled the model.


def read_weights(path, model):
    files.load_file(model, path)


def read_whole_model(path, model):
    load_model(path, compile=False)


def read_torch(path, model):
    load_tensors(model, torch_files.read_tensors(path), torch_names, path=path)


def read_joblib(path, model):
    FromArrays(path, ["first", "second"]).load_into(model)


def read_gguf(path, model):
    load_tensors(model, gguf_files.read_gguf(path).tensors, llama_names.names, path=path)


def read_table(path, model):
    tables.read_table(path, target="kind")


FORMATS = {
    # name: (file, write, read, model)
    "h5": ("w.weights.h5", write_h5, read_weights, dense_model),
    "keras weights": ("w.keras", write_keras, read_weights, dense_model),
    "keras model": ("m.keras", write_keras, read_whole_model, dense_model),
    "pth": ("w.pth", write_pth, read_torch, dense_model),
    "pth before 1.6": ("old.pth", write_old_pth, read_torch, dense_model),
    "safetensors": ("w.safetensors", write_safetensors, read_torch, dense_model),
    "joblib": ("w.lz4", write_joblib, read_joblib, dense_model),
    "gguf": ("w.gguf", write_gguf, read_gguf, llama_model),
    "zip": ("a.zip", write_zip, lambda path, model: archives.read_zip(path), None),
    "tar": ("a.tar", write_tar, lambda path, model: archives.read_tar(path), None),
    "tar.gz": (
        "a.tar.gz",
        lambda path, model: write_tar(path, model, "w:gz"),
        lambda path, model: archives.read_tar(path),
        None,
    ),
    "gallery": ("people.npz", write_gallery, lambda path, model: Gallery.load(path), None),
    "ts": ("a_TRAIN.ts", write_ts, lambda path, model: labelled_files.read_ts(path, missing="linear"), None),
    "idx": ("a-ubyte", write_idx, lambda path, model: idx.read_idx(path), None),
    "idx.gz": ("a-ubyte.gz", write_packed_idx, lambda path, model: idx.read_idx(path), None),
    "csv table": ("t.csv", write_csv, read_table, None),
    "csv.gz table": ("t.csv.gz", write_packed_csv, read_table, None),
    "csv series": ("s.csv", write_csv, lambda path, model: series.read_series(path), None),
    "parquet table": ("t.parquet", write_parquet, read_table, None),
    "parquet series": ("s.parquet", write_parquet, lambda path, model: series.read_series(path), None),
    **{
        kind: (f"i.{kind}", write_image, lambda path, model: decode.decode(path), None)
        for kind in ("png", "jpg", "bmp", "gif")
    },
}


# Files that try to do harm: {name: (format, a function that makes the valid file at `path` a hostile one)}. A secret
# lies beside the file; none of its bytes may come into a model.

SECRET = b"the secret of another user " * 40
KERNEL = "layers/dense/vars/0"
BOMB = 2**31  # Bytes that a file asks for.


def edit_h5(change):
    """Makes a change to the HDF5 file."""

    def made(path):
        with h5py.File(path, "r+") as file:
            change(file, path)

    return made


def replace(**options):
    """Puts another dataset in place of the first kernel."""

    def change(file, path):
        del file[KERNEL]
        file.create_dataset(KERNEL, **options)

    return edit_h5(change)


def external(file, path):
    del file[KERNEL]
    file.create_dataset(KERNEL, (4, 5), "f4", external=[(str(path.parent / "secret"), 0, 80)])


def virtual(file, path):
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["secret"] = np.frombuffer(SECRET[:80], "f4").reshape(4, 5)
    del file[KERNEL]
    layout = h5py.VirtualLayout((4, 5), "f4")
    layout[...] = h5py.VirtualSource(path.parent / "other.h5", "secret", (4, 5))
    file.create_virtual_dataset(KERNEL, layout)


def link_to(link):
    def change(file, path):
        file["elsewhere"] = np.zeros((4, 5), "f4")
        del file[KERNEL]
        file[KERNEL] = link(path)

    return edit_h5(change)


def second_name(file, path):
    del file["layers/dense_1/vars/1"]
    file["layers/dense_1/vars/1"] = file["layers/dense/vars/1"]


def cycle(file, path):
    file["layers/dense/again"] = file["layers"]


def root_cycle(file, path):
    file["layers/root"] = file["/"]


def late_chunk(file, path):
    """A chunk much larger than the dataset, that unpacks from almost nothing."""
    del file[KERNEL]
    dataset = file.create_dataset(KERNEL, (4, 5), "f4", maxshape=(None, None), chunks=(4000, 4000), compression="gzip")
    dataset[...] = 1


def in_keras(change, member="model.weights.h5"):
    """Makes a change to the weights inside a `.keras` archive."""

    def made(path):
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        inner = path.parent / "inner.h5"
        inner.write_bytes(contents[member])
        change(inner)
        contents[member] = inner.read_bytes()
        inner.unlink()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)

    return made


def add_member(name, content=b"", *, times=1):
    def made(path):
        with (
            zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open(name, "w", force_zip64=True) as file,
        ):
            for _ in range(times):
                file.write(content)

    return made


def add_link(path):
    with zipfile.ZipFile(path, "a") as archive:
        facts = zipfile.ZipInfo("link")
        facts.external_attr = 0o120777 << 16
        archive.writestr(facts, "/etc/passwd")


def without_weights(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def bomb_of_weights(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        with archive.open("model.weights.h5", "w", force_zip64=True) as file:
            for _ in range(100):
                file.write(bytes(2**20))


def shared_bytes(path):
    """A directory that names the same bytes many times."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data.txt", bytes(100_000))
        for index in range(1000):
            other = copy.copy(archive.getinfo("data.txt"))
            other.filename = f"again{index}.txt"
            archive.filelist.append(other)
        archive._didModify = True


def tar_member(kind, name="a/member", target="", size=0):
    def made(path):
        with tarfile.open(path, "a") as archive:
            facts = tarfile.TarInfo(name)
            facts.type, facts.linkname, facts.size = kind, target, size
            archive.addfile(facts, io.BytesIO(bytes(size)))

    return made


def packed_zeros(pack, start=b""):
    """A stream that unpacks to a hundred thousand times its size."""

    def made(path):
        piece = pack(bytes(2**24))
        path.write_bytes(pack(start) + piece * 60)

    return made


def long_tar_header(path):
    """A header of names that promises gigabytes."""
    facts = tarfile.TarInfo("././@PaxHeader")
    facts.type, facts.size = tarfile.XHDTYPE, 2**30
    path.write_bytes(gzip.compress(facts.tobuf(tarfile.USTAR_FORMAT)) + gzip.compress(bytes(2**24)) * 60)


def head_of_zeros():
    facts = tarfile.TarInfo("zeros")
    facts.size = 60 * 2**24
    return facts.tobuf()


def sparse_tar(path):
    """A file of holes, which needs no bytes to be a gigabyte."""
    facts = tarfile.TarInfo("holes")
    facts.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(facts.tobuf(tarfile.GNU_FORMAT))
    block[386:482] = b"00000000000\x00" * 8
    block[483:495] = b"07777777777\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + bytes(1024))


def header_of_safetensors(**tensor):
    def made(path):
        header = json.dumps({"first.weight": tensor}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(80))

    return made


def gguf_with(change):
    """Writes other facts in place of those of the valid file, by the gguf package's own writer."""

    def made(path):
        import gguf

        writer = gguf.GGUFWriter(path, "llama")
        change(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    return made


def number_at(offset, value, kind="<Q"):
    """Overwrites a number in the file."""

    def made(path):
        content = bytearray(path.read_bytes())
        struct.pack_into(kind, content, offset % len(content), value)
        path.write_bytes(content)

    return made


def number_after(mark, value, kind="<Q", *, skip=0):
    """Overwrites the number that stands behind a word in the file."""

    def made(path):
        number_at(path.read_bytes().index(mark) + len(mark) + skip, value, kind)(path)

    return made


def content(data):
    return lambda path: path.write_bytes(data)


def with_shape(shape):
    return lambda path: path.write_bytes(lz4.frame.compress(joblib_content([np.zeros(3, "float32")], shape=shape)))


def npz(**arrays):
    def made(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in arrays.items():
                archive.writestr(f"{name}.npy", data)

    return made


def npy(shape, kind="<f4", data=b""):
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + data


def huge_parquet(path):
    """A column of one value, a thousand million times, in a few kilobytes."""
    import pyarrow
    from pyarrow import parquet

    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(10**6, "int8")), ["a"])
    table = pyarrow.table({"load": column, "kind": column})
    with parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(70):
            writer.write_table(table)


def bomb_of_pixels(path):
    """A PNG whose header says 60,000 x 60,000."""
    data = bytearray(path.read_bytes())
    struct.pack_into(">2I", data, 16, 60_000, 60_000)
    struct.pack_into(">I", data, 29, zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)


H5 = {
    "an external dataset on a secret": edit_h5(external),
    "a virtual dataset on a secret": edit_h5(virtual),
    "a soft link": link_to(lambda path: h5py.SoftLink("/elsewhere")),
    "a soft link to nothing": link_to(lambda path: h5py.SoftLink("/nowhere")),
    "an external link": link_to(lambda path: h5py.ExternalLink("other.h5", "secret")),
    "a hard link": edit_h5(second_name),
    "a cycle of hard links": edit_h5(cycle),
    "a cycle through the root": edit_h5(root_cycle),
    "a huge shape": replace(shape=(BOMB // 4,), dtype="f4"),
    "a huge shape that is packed": replace(shape=(BOMB // 4,), dtype="f4", chunks=(1000,), compression="gzip"),
    "numbers never written": replace(shape=(4, 5), dtype="f4"),
    "chunks never written": replace(shape=(4, 5), dtype="f4", chunks=(2, 5)),
    "a bomb": replace(data=np.zeros((2**12, 2**12), "f4"), compression="gzip", compression_opts=9),
    "a bomb of one chunk": edit_h5(late_chunk),
    "another shape": replace(data=np.zeros((5, 4), "f4")),
    "integers": replace(data=np.zeros((4, 5), "i4")),
    "strings": replace(data=np.full((4, 5), b"weight")),
    "strings of any length": replace(data=[["a"] * 5] * 4, dtype=h5py.string_dtype()),
    "references": replace(shape=(4, 5), dtype=h5py.ref_dtype),
    "records": replace(data=np.zeros((4, 5), [("a", "f4"), ("b", "f4")])),
    "no shape": replace(data=h5py.Empty("f4")),
    "a type in place of a dataset": edit_h5(lambda file, path: file.__setitem__("layers/kind", np.dtype("f8"))),
    "a name with a line": edit_h5(lambda file, path: file.__setitem__("layers/a\nb", 1.0)),
    "a dataset more": edit_h5(lambda file, path: file.__setitem__("layers/more", 1.0)),
    "a dataset less": edit_h5(lambda file, path: file.__delitem__(KERNEL)),
    "none": edit_h5(lambda file, path: [file.__delitem__(name) for name in list(file)]),
}

CORPUS = {
    **{f"h5: {name}": ("h5", change) for name, change in H5.items()},
    **{f"keras weights: {name}": ("keras weights", in_keras(change)) for name, change in H5.items()},
    **{
        f"keras model: {name}": ("keras model", in_keras(change))
        for name, change in H5.items()
        if name not in ("a dataset more", "another shape")  # Keras ignores what no layer asks for.
        and name != "integers"  # Keras casts.
    },
    "keras weights: a bomb of zeros": ("keras weights", bomb_of_weights),
    "keras weights: no weights": ("keras weights", without_weights),
    "keras weights: a path upwards": ("keras weights", add_member("../outside", b"outside")),
    "keras weights: weights twice": ("keras weights", add_member("model.weights.h5", b"again")),
    "keras model: a path upwards": ("keras model", add_member("../outside", b"outside")),
    "keras model: an absolute path": ("keras model", add_member("/tmp/outside", b"outside")),
    "keras model: a link": ("keras model", add_link),
    "keras model: a bomb beside": ("keras model", add_member("assets/zeros", bytes(2**20), times=100)),
    "keras model: an unsafe class": (
        "keras model",
        lambda path: with_config(path, {"module": "os", "class_name": "system", "config": {"command": "true"}}),
    ),
    "keras model: no object": ("keras model", lambda path: with_config(path, ["list"])),
    "keras model: weights in a nested archive": (
        "keras model",
        lambda path: with_weights_as(path, "model.weights.npz"),
    ),
    "keras model: a layer of 12 GB": ("keras model", lambda path: with_units(path, 600_000_000)),
    "keras model: an embedding of 8 GB": (
        "keras model",
        lambda path: with_layer(path, "Embedding", input_dim=10**8, output_dim=20),
    ),
    "pth: another file's name": ("pth", content(b"\x89HDF\r\n\x1a\n" + bytes(100))),
    "pth: compressed": ("pth", lambda path: repacked(path, zipfile.ZIP_DEFLATED)),
    "pth: a member more, that is compressed": ("pth", add_member("archive/zeros", bytes(2**20), times=100)),
    "pth before 1.6: storages of terabytes": ("pth before 1.6", number_after(b"\x80\x02]q\x00", 2**60)),
    "safetensors: a long header": ("safetensors", number_at(0, 2**40)),
    "safetensors: offsets beyond": (
        "safetensors",
        header_of_safetensors(dtype="F32", shape=[2**29], data_offsets=[0, BOMB]),
    ),
    "safetensors: no numbers along long axes": (
        "safetensors",
        header_of_safetensors(dtype="F32", shape=[0, 2**62, 2**62], data_offsets=[0, 0]),
    ),
    "safetensors: another type": (
        "safetensors",
        header_of_safetensors(dtype="F8_E4M3", shape=[80], data_offsets=[0, 80]),
    ),
    "safetensors: nested": ("safetensors", content(struct.pack("<Q", 20_000) + b'{"a":' * 4000)),
    "joblib: a bomb": ("joblib", packed_zeros(lz4.frame.compress)),
    "joblib: a huge shape": ("joblib", with_shape((BOMB,))),
    "joblib: a shape that overflows": ("joblib", with_shape((2**40, 2**40))),
    "joblib: a negative shape": ("joblib", with_shape((-1,))),
    "joblib: another name": ("joblib", content(lz4.frame.compress(b"\x80\x04cos\nsystem\n(U\x04trueTR."))),
    "gguf: many tensors": ("gguf", number_at(8, 2**60)),
    "gguf: many facts": ("gguf", number_at(16, 2**60)),
    "gguf: a long name": ("gguf", number_at(24, 2**62)),
    "gguf: a long list": ("gguf", number_after(b"tokenizer.ggml.tokens", 2**60, skip=8)),
    "gguf: many blocks": ("gguf", number_after(b"llama.block_count", 2**31, "<I", skip=4)),
    "gguf: no heads": ("gguf", number_after(b"llama.attention.head_count", 0, "<I", skip=4)),
    "gguf: wide": ("gguf", number_after(b"llama.embedding_length", 2**31, "<I", skip=4)),
    "gguf: positions without end": ("gguf", number_after(b"llama.context_length", 2**31, "<I", skip=4)),
    "gguf: a long axis": ("gguf", number_after(b"token_embd.weight", 2**60, skip=4)),
    "gguf: an unknown type": ("gguf", number_after(b"output_norm.weight", 999, "<I", skip=12)),
    "gguf: an offset beyond": ("gguf", number_after(b"output_norm.weight", 2**60, skip=16)),
    "gguf: the tensors of nothing": ("gguf", gguf_with(lambda writer: writer.add_block_count(3))),
    "zip: a path upwards": ("zip", add_member("a/../../outside", b"outside")),
    "zip: an absolute path": ("zip", add_member("/tmp/outside", b"outside")),
    "zip: a drive": ("zip", add_member("C:/outside", b"outside")),
    "zip: a path upwards of Windows": ("zip", add_member("..\\outside", b"outside")),
    "zip: a link": ("zip", add_link),
    "zip: a bomb": ("zip", add_member("zeros", bytes(2**20), times=100)),
    "zip: many bombs": ("zip", lambda path: [add_member(f"{i}", bytes(2**20), times=10)(path) for i in range(10)]),
    "zip: shared bytes": ("zip", shared_bytes),
    "tar: a path upwards": ("tar", tar_member(tarfile.REGTYPE, "../outside")),
    "tar: an absolute path": ("tar", tar_member(tarfile.REGTYPE, "/tmp/outside")),
    "tar: a symbolic link": ("tar", tar_member(tarfile.SYMTYPE, target="/etc/passwd")),
    "tar: a hard link": ("tar", tar_member(tarfile.LNKTYPE, target="../../etc/passwd")),
    "tar: a device": ("tar", tar_member(tarfile.CHRTYPE)),
    "tar: a pipe": ("tar", tar_member(tarfile.FIFOTYPE)),
    "tar: holes": ("tar", sparse_tar),
    "tar.gz: a bomb": ("tar.gz", packed_zeros(gzip.compress, head_of_zeros())),
    "tar.gz: a long header": ("tar.gz", long_tar_header),
    "tar.gz: bzip2's bomb": ("tar.gz", packed_zeros(bz2.compress, head_of_zeros())),
    "gallery: pickles": ("gallery", npz(people=npy((1,), "|O", pickle.dumps(["a"])))),
    "gallery: a huge shape": ("gallery", npz(people=npy((1,), "<U1", b"a\0\0\0"), owners=npy((2**40,)))),
    "gallery: a bomb": ("gallery", npz(people=npy((2**26,), "<U1", bytes(2**28)))),
    "ts: long series": ("ts", content(b"@classLabel true a b\n@seriesLength 999999999\n@data\n1,2:a\n3,4:b\n")),
    "ts: many channels": ("ts", content(b"@classLabel true a b\n@dimensions 999999999\n@data\n1,2:a\n3,4:b\n")),
    "ts: a size of many digits": ("ts", content(b"@classLabel true a\n@dimensions " + b"9" * 9000 + b"\n@data\n1:a\n")),
    "ts: a size that is none": ("ts", content(b"@classLabel true a\n@dimensions -3\n@data\n1:a\n")),
    "ts: no text": ("ts", content(bytes(range(256)) * 9)),
    "ts: not finite": ("ts", content(b"@classLabel true a b\n@data\n1,1e999:a\n3,4:b\n")),
    "idx: a huge shape": ("idx", number_at(4, 2**31 - 1, ">I")),
    "idx: eight huge axes": ("idx", content(b"\0\0\x0e\x08" + b"\xff" * 32 + bytes(64))),
    "idx: an unknown type": ("idx", number_at(2, 7, "B")),
    "idx.gz: a bomb": ("idx.gz", packed_zeros(gzip.compress, b"\0\0\x08\x01" + struct.pack(">I", 60 * 2**24))),
    "csv.gz table: a bomb": ("csv.gz table", packed_zeros(gzip.compress, b"load,kind\n")),
    "csv table: no text": ("csv table", content(bytes(range(128, 256)) * 9)),
    "csv table: an open quotation": ("csv table", content(b'load,kind\n"' + b"1,a\n" * 999)),
    "csv series: no text": ("csv series", content(bytes(range(128, 256)) * 9)),
    "parquet table: a bomb": ("parquet table", huge_parquet),
    "parquet table: another format": ("parquet table", content(b"PAR1" + b"\xff" * 99 + b"PAR1")),
    "parquet series: a long footer": (
        "parquet series",
        lambda path: number_at(path.stat().st_size - 8, 2**31, "<I")(path),
    ),
    "png: a huge image": ("png", bomb_of_pixels),
    "png: another format": ("png", content(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
    "bmp: a huge image": ("bmp", number_at(18, 2**31 - 1, "<i")),
    "gif: a huge image": ("gif", number_at(6, 2**32 - 1, "<I")),
    "jpg: nothing but a head": ("jpg", content(b"\xff\xd8\xff\xe0" + bytes(20))),
}


def with_config(path, config):
    """Another configuration in a `.keras` archive."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def with_units(path, units):
    """Another size of the first dense layer than that of its weights."""
    config = config_of(path)
    config["config"]["layers"][1]["config"]["units"] = units
    with_config(path, config)


def with_layer(path, class_name, **arguments):
    """Another layer in place of the first dense one."""
    config = config_of(path)
    layer = config["config"]["layers"][1]
    layer |= {"class_name": class_name, "build_config": None, "config": {"name": "first"} | arguments}
    with_config(path, config)


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def with_weights_as(path, name):
    """The weights under another name, in a format that Keras reads as well: a zip archive in the archive."""
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    weights = io.BytesIO()
    np.savez_compressed(weights, **{"layers/dense": np.zeros(2**20)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr(name, weights.getvalue())


def repacked(path, compression):
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def bytes_of(kind):
    """Another valid file, under this one's name."""

    def made(path):
        name, write, _, maker = FORMATS[kind]
        write(path.parent / f"other-{name}", maker())
        (path.parent / f"other-{name}").replace(path)

    return made


def integers(path):
    tensors = {name: array.astype("int64") for name, array in tensors_of(dense_model()).items()}
    content = {
        name: torch_archives.rebuilt(str(key), array, kind="LongStorage")
        for key, (name, array) in enumerate(tensors.items())
    }
    torch_archives.write_archive(path, content, {str(key): array for key, array in enumerate(tensors.values())})


def cut_short(path):
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])


CORPUS["pth: integers"] = ("pth", integers)
for _kind, _other in (
    ("h5", "keras weights"),
    ("keras weights", "h5"),
    ("keras model", "pth"),
    ("pth", "safetensors"),
    ("pth", "keras weights"),
    ("pth before 1.6", "gguf"),
    ("safetensors", "pth"),
    ("gguf", "safetensors"),
    ("joblib", "pth before 1.6"),
):
    CORPUS[f"{_kind}: renamed {_other}"] = (_kind, bytes_of(_other))
# What every format has to stand; what is left of a text, or of an image without an end, can be whole.
for _kind in FORMATS:
    CORPUS[f"{_kind}: empty"] = (_kind, content(b""))
    CORPUS[f"{_kind}: another format's bytes"] = (_kind, content(b"\x7fELF" + bytes(range(256)) * 8))
    if not _kind.startswith(("csv", "ts", "gif", "tar")):
        CORPUS[f"{_kind}: cut short"] = (_kind, cut_short)


def memory(function):
    """(what it raised or None, bytes that the process grew by at its largest): Linux resets that mark on request."""
    mark = Path("/proc/self/clear_refs")
    status = Path("/proc/self/status")

    def largest():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

    if mark.exists():
        mark.write_text("5")
    before = largest() if status.exists() else 0
    raised = None
    try:
        function()
    except Exception as error:
        raised = error
    return raised, (largest() - before if status.exists() else 0)


NAMELESS = ("png", "jpg", "bmp", "gif")  # `decode` takes bytes too; what calls it names the file.
