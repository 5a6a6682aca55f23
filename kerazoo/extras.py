"""Optional packages: an error that names the line to install them with."""

from importlib import import_module

from kerazoo.errors import one_line

# Module -> the extra of kerazoo that brings it.
EXTRAS = {
    "PIL": "apps",
    "av": "detection",
    "gguf": "text",
    "keras_cv": "cv",
    "keras_hub": "cv",
    "lz4": "faces",
    "matplotlib": "apps",
    "pandas": "apps",
    "pyarrow": "apps",
    "pycrfsuite": "text",
    "pycocotools": "detection",
    "scipy": "apps",
    "rouge_score": "text",
    "sacrebleu": "text",
    "sentencepiece": "text",
    "sklearn": "apps",
    "statsmodels": "apps",
    "tensorboard": "apps",
    "tensorflow_datasets": "apps",
    "tensorflow_text": "text",
    "tokenizers": "text",
    "yaml": "detection",
}


def need(module, extra=None):
    """Raises unless an optional module can be imported.

    Args:
        module: its name.
        extra: of kerazoo, to be named where not the usual one of this module brings it.

    Raises:
        ImportError: it cannot; the message has the `pip install` line.
    """
    try:
        import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        reason = "not installed" if missing else f"cannot be imported ({one_line(error)})"
        raise ImportError(
            f'{module} is needed here and {reason}. Run: pip install "kerazoo[{extra or EXTRAS[module]}]"'
        ) from error
