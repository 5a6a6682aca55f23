"""The registry and the catalog: names, errors, and what is not imported."""

import json
import subprocess
import sys

import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.registry import register, registered


def fresh_process(code):
    """Runs code in a new interpreter and returns what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = "[m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules]"


def test_listing_and_info_import_neither_tensorflow_nor_keras():
    code = (
        "import sys, kerazoo; from kerazoo import cli; kerazoo.list_models('resnet*', domain='vision');"
        "kerazoo.info('resnet50'); cli.main(['list', 'mlp']); cli.main(['info', 'mlp', '--json']);"
        "cli.main(['info', 'resnet5']); "
        f"print({HEAVY})"
    )
    assert fresh_process(code).splitlines()[-1] == "[]"


def test_build_imports_only_the_module_it_needs():
    # Beside it come those whose classes Keras must know to load files of them.
    code = (
        "import kerazoo; kerazoo.build('lenet5'); from kerazoo import registry, serializable;"
        "print(sorted({entry.module for entry in registry.registered().values()} - set(serializable.modules())))"
    )
    assert fresh_process(code).splitlines()[-1] == "['kerazoo.models.vision.lenet']"


def test_a_model_missing_from_the_catalog_still_builds():
    # Keras must know the classes of the models that have one, so that files of them can be loaded: those modules
    # follow Keras. No other module is imported for a model than its own.
    code = (
        "from kerazoo import catalog, serializable; catalog.read = lambda: {'models': {}}; import kerazoo;"
        "name, entries = kerazoo.build('lenet5').name, kerazoo.registry.registered().values();"
        "print(name, [entry.name for entry in entries if entry.module not in serializable.modules()])"
    )
    assert fresh_process(code).splitlines()[-1] == "lenet5 ['lenet5']"


def test_unknown_names_get_the_nearest_and_the_choice():
    with pytest.raises(ValueError, match=r"Did you mean 'resnet50'.*Received: 'resnet_50'"):
        kerazoo.build("resnet_50")
    with pytest.raises(ValueError, match=r"Unknown domain.*'vision'.*Received: 'visoin'"):
        kerazoo.list_models(domain="visoin")
    with pytest.raises(ValueError, match=r"Unknown task.*image_classification"):
        kerazoo.list_models(task="image_clasification")
    with pytest.raises(ValueError, match=r"Unknown export format.*'tflite'"):
        kerazoo.list_models(exports="tfliet")


def test_listing_filters():
    assert kerazoo.list_models("resnet?8") == ["resnet18"]
    assert "resnet50" in kerazoo.list_models(domain="vision", task="image_classification")
    assert kerazoo.list_models("no such*") == []


def _builder(*, width=1, name="toy"):
    """A toy."""
    return width, name


def test_registering_twice_or_wrongly_raises():
    facts = {"domain": "vision", "task": "image_classification", "sample": None}
    with pytest.raises(ValueError, match="'resnet50' is already registered, by kerazoo.models.vision.resnet"):
        kerazoo.info("resnet50")
        kerazoo.build("resnet18", depths=(1, 1), width=4)
        register(**facts, variants={"resnet50": {}})(_builder)
    with pytest.raises(TypeError, match=r"does not take: \['wdith'\]"):
        register(**facts, variants={"toy": {"wdith": 2}})(_builder)
    with pytest.raises(TypeError, match="keyword-only"):
        register(**facts)(lambda width: width)
    assert "toy" not in registered()


def test_third_parties_add_models_by_entry_point(tmp_path):
    """An installed package with the entry point: listed without an import, built with one."""
    (tmp_path / "acme.py").write_text(
        "from kerazoo.models.vision.mlp import mlp\n"
        "from kerazoo.registry import register\n"
        "@register(domain='vision', task='image_classification', sample=None)\n"
        "def acme_net(*, hidden=(3,), name='acme_net'):\n"
        "    '''Acme's.'''\n"
        "    return mlp(input_shape=(2, 2, 3), hidden=hidden, name=name)\n"
    )
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[kerazoo.models]\nacme_net = acme\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import kerazoo\n"
        "assert 'acme_net' in kerazoo.list_models() and 'acme' not in sys.modules\n"
        "print(kerazoo.build('acme_net', hidden=(5,)).name)"
    )
    assert fresh_process(code).splitlines()[-1] == "acme_net"


def test_committed_catalog_says_what_the_registry_says():
    from kerazoo.verification import writer

    assert writer.stale() == {}, "regenerate it: kerazoo verify --changed --write-catalog"


def test_a_stale_catalog_is_seen(tmp_path):
    from kerazoo.verification import writer

    written = json.loads(catalog.PATH.read_text())
    written["models"]["lenet5"]["params"] = 1
    written["models"]["gone"] = {}
    del written["models"]["mlp"]
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(written))
    assert writer.stale(path) == {
        "lenet5": "other params than in the registry",
        "mlp": "not in the catalog",
        "gone": "no longer registered",
    }
