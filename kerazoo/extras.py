"""Optional packages: an error that names the line to install them with."""

from importlib.util import find_spec

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
    """Raises unless an optional module is installed.

    Args:
        module: its name.
        extra: of kerazoo, to be named where not the usual one of this module brings it.

    Raises:
        ImportError: it is not; the message has the `pip install` line.
    """
    if find_spec(module) is None:
        raise ImportError(
            f'{module} is needed here and not installed. Run: pip install "kerazoo[{extra or EXTRAS[module]}]"'
        )
