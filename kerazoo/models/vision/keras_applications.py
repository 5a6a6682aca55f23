"""The classifiers of Keras Applications behind kerazoo's contract (https://keras.io/api/applications/).

Keras's own builder makes each graph; it is then rebuilt layer by layer, with the same weights in the
same order, so that every family keeps the same promises:

- pixels in [0, 255] go in, and the family's preprocessing is one float32 layer called "normalize";
  what some families do inside (EfficientNet, EfficientNetV2, MobileNetV3, ConvNeXt) is left out. That
  also makes EfficientNet the same graph with and without ImageNet weights, which in Keras it is not:
  there, fresh weights see pixels in [0, 1].
- float32 logits come out under any precision.
- no model is nested in the graph, and names do not depend on what was built before.
"""

import collections
import re

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.models.features import last_match_of_each_stride
from kerazoo.models.rebuild import fresh
from kerazoo.registry import register, unknown_choice
from kerazoo.weights.keras_files import CLASSES, PREPROCESSING_LAYERS, load_imagenet


def _variant(application, side, params):
    return {"application": application, "input_shape": (side, side, 3), "params": params}


# The variants of each family with Keras's default side in pixels and `params`: the parameters in the
# table of https://keras.io/api/applications/, which rounds them, less the moving statistics of
# batch normalisation, which are not trained. The table leaves MobileNetV3 out: the paper
# (https://arxiv.org/abs/1905.02244) has 5.4M for large and 2.5M (2.9M in its first version) for small.
# `smoke` is the smallest member at the smallest side that it takes; `stages` matches the layers whose
# outputs are features: the last match of each size is the one given.
FAMILIES = {
    "Xception": {
        "variants": {"keras_xception": _variant("Xception", 299, 22_855_952)},
        "smoke": ("Xception", 71),
        "preprocessing": "inception",
        "stages": r"block1_conv2_act|add(_\d+)?|block14_sepconv2_act",
    },
    "VGG": {
        "variants": {
            "keras_vgg16": _variant("VGG16", 224, 138_357_544),
            "keras_vgg19": _variant("VGG19", 224, 143_667_240),
        },
        "smoke": ("VGG16", 32),
        "preprocessing": "caffe",
        "stages": r"block\d_conv\d|block5_pool",
    },
    "ResNet": {
        "variants": {
            "keras_resnet50": _variant("ResNet50", 224, 25_583_592),
            "keras_resnet101": _variant("ResNet101", 224, 44_601_832),
            "keras_resnet152": _variant("ResNet152", 224, 60_268_520),
        },
        "smoke": ("ResNet50", 32),
        "preprocessing": "caffe",
        "stages": r"conv1_relu|conv\d_block\d+_out",
    },
    "ResNetV2": {
        "variants": {
            "keras_resnet50_v2": _variant("ResNet50V2", 224, 25_568_360),
            "keras_resnet101_v2": _variant("ResNet101V2", 224, 44_577_896),
            "keras_resnet152_v2": _variant("ResNet152V2", 224, 60_236_904),
        },
        "smoke": ("ResNet50V2", 32),
        "preprocessing": "inception",
        "stages": r"conv1_conv|conv\d_block\d+_out|post_relu",
    },
    "InceptionV3": {
        "variants": {"keras_inception_v3": _variant("InceptionV3", 299, 23_817_352)},
        "smoke": ("InceptionV3", 75),
        "preprocessing": "inception",
        "stages": r"activation_[24]|mixed\d+",
    },
    "InceptionResNetV2": {
        "variants": {"keras_inception_resnet_v2": _variant("InceptionResNetV2", 299, 55_813_192)},
        "smoke": ("InceptionResNetV2", 75),
        "preprocessing": "inception",
        "stages": r"activation_[24]|mixed_.*|block(35|17|8)_\d+_ac|conv_7b_ac",
    },
    "MobileNet": {
        "variants": {"keras_mobilenet": _variant("MobileNet", 224, 4_231_976)},
        "smoke": ("MobileNet", 32),
        "preprocessing": "inception",
        "stages": r"conv_pw_\d+_relu",
    },
    "MobileNetV2": {
        "variants": {"keras_mobilenet_v2": _variant("MobileNetV2", 224, 3_504_872)},
        "smoke": ("MobileNetV2", 32),
        "preprocessing": "inception",
        "stages": r"(expanded_conv|block_\d+)_(project_BN|add)|out_relu",
    },
    "MobileNetV3": {
        "variants": {
            "keras_mobilenet_v3_small": _variant("MobileNetV3Small", 224, 2_542_856),
            "keras_mobilenet_v3_large": _variant("MobileNetV3Large", 224, 5_483_032),
        },
        "smoke": ("MobileNetV3Small", 32),
        "preprocessing": "inception",
        "stages": r"activation|expanded_conv_(\d+_)?(project_bn|add)",
    },
    "DenseNet": {
        "variants": {
            "keras_densenet121": _variant("DenseNet121", 224, 7_978_856),
            "keras_densenet169": _variant("DenseNet169", 224, 14_149_480),
            "keras_densenet201": _variant("DenseNet201", 224, 20_013_928),
        },
        "smoke": ("DenseNet121", 32),
        "preprocessing": "imagenet",
        "stages": r"conv1_relu|conv\d_block\d+_concat|relu",
    },
    "NASNet": {
        "variants": {
            "keras_nasnet_mobile": _variant("NASNetMobile", 224, 5_289_978),
            "keras_nasnet_large": _variant("NASNetLarge", 331, 88_753_150),
        },
        "smoke": ("NASNetMobile", 32),
        "preprocessing": "inception",
        "stages": r"stem_bn1|(normal|reduction)_concat_.*",
    },
    "EfficientNet": {
        "variants": {
            "keras_efficientnet_b0": _variant("EfficientNetB0", 224, 5_288_548),
            "keras_efficientnet_b1": _variant("EfficientNetB1", 240, 7_794_184),
            "keras_efficientnet_b2": _variant("EfficientNetB2", 260, 9_109_994),
            "keras_efficientnet_b3": _variant("EfficientNetB3", 300, 12_233_232),
            "keras_efficientnet_b4": _variant("EfficientNetB4", 380, 19_341_616),
            "keras_efficientnet_b5": _variant("EfficientNetB5", 456, 30_389_784),
            "keras_efficientnet_b6": _variant("EfficientNetB6", 528, 43_040_704),
            "keras_efficientnet_b7": _variant("EfficientNetB7", 600, 66_347_960),
        },
        "smoke": ("EfficientNetB0", 32),
        "preprocessing": "imagenet",
        "stages": r"block\d[a-z]_(project_bn|add)|top_activation",
    },
    "EfficientNetV2 B": {
        "variants": {
            "keras_efficientnet_v2_b0": _variant("EfficientNetV2B0", 224, 7_139_704),
            "keras_efficientnet_v2_b1": _variant("EfficientNetV2B1", 240, 8_141_052),
            "keras_efficientnet_v2_b2": _variant("EfficientNetV2B2", 260, 10_096_086),
            "keras_efficientnet_v2_b3": _variant("EfficientNetV2B3", 300, 14_358_406),
        },
        "smoke": ("EfficientNetV2B0", 32),
        "preprocessing": "imagenet",
        "stages": r"block\d[a-z]_(project_bn|project_activation|add)|top_activation",
    },
    "EfficientNetV2": {
        "variants": {
            "keras_efficientnet_v2_s": _variant("EfficientNetV2S", 384, 21_458_488),
            "keras_efficientnet_v2_m": _variant("EfficientNetV2M", 480, 54_139_356),
            "keras_efficientnet_v2_l": _variant("EfficientNetV2L", 480, 118_515_272),
        },
        "smoke": ("EfficientNetV2S", 32),
        "preprocessing": "centre",
        "stages": r"block\d[a-z]_(project_bn|project_activation|add)|top_activation",
    },
    "ConvNeXt": {
        "variants": {
            "keras_convnext_tiny": _variant("ConvNeXtTiny", 224, 28_589_128),
            "keras_convnext_small": _variant("ConvNeXtSmall", 224, 50_223_688),
            "keras_convnext_base": _variant("ConvNeXtBase", 224, 88_591_464),
            "keras_convnext_large": _variant("ConvNeXtLarge", 224, 197_767_336),
            "keras_convnext_xlarge": _variant("ConvNeXtXLarge", 224, 350_196_968),
        },
        "smoke": ("ConvNeXtTiny", 32),
        "preprocessing": "imagenet",
        "stages": r"add(_\d+)?",
    },
}
VARIANTS = {name: row for family in FAMILIES.values() for name, row in family["variants"].items()}
# What only these families do to their input, in words; the others' are in kerazoo.layers.pixels.
PREPROCESSING = {
    "caffe": "subtract the means 123.68, 116.779, 103.939 of red, green, blue; then put the channels as blue, "
    "green, red",
    "centre": "pixel / 128 - 1",
}
_DEFAULTS = {
    row["application"]: {"family": key, "input_shape": row["input_shape"]}
    for key, family in FAMILIES.items()
    for row in family["variants"].values()
}


def _preprocess(image, kind):
    """Pixels in [0, 255], (B, H, W, 3) -> the same shape, as the family was trained, in float32."""
    if kind == "caffe":
        means = [-123.68, -116.779, -103.939]
        centred = layers.Rescaling(1.0, offset=means, dtype="float32", name="normalize")(image)
        return keras.ops.flip(centred, axis=-1)
    if kind == "centre":
        return layers.Rescaling(1 / 128, offset=-1.0, dtype="float32", name="normalize")(image)
    return normalize(image, kind)


def _does_nothing(operation):
    """True for the identities in Keras's graphs, and for preprocessing that follows our own."""
    if isinstance(operation, layers.Activation):
        return operation.activation is keras.activations.linear
    return isinstance(operation, PREPROCESSING_LAYERS) and operation.name != "normalize"


def _rebuild(core, *, name):
    """The graph of `core` from fresh layers: flat, its head in float32, names counted from here."""
    head = max(index for index, layer in enumerate(core.layers) if layer.weights)
    tail = core.layers[head:]
    counts = collections.Counter()

    def copy(operation):
        if isinstance(operation, keras.Sequential):
            return operation  # `call` puts its layers into the graph.
        changes = {"dtype": "float32"} if operation in tail else {}
        base = re.sub(r"_\d+$", "", operation.name)
        if operation is tail[0]:
            changes["name"] = "logits"
        elif base.replace("_", "") == type(operation).__name__.lower():  # Keras named it, by a global count.
            changes["name"] = f"{base}_{counts[base]}" if counts[base] else base
            counts[base] += 1
        return fresh(operation, **changes)

    def call(operation, *inputs, **arguments):
        if isinstance(operation, keras.Sequential):
            x = inputs[0]
            for layer in operation.layers:
                x = copy(layer)(x)
            return x
        if _does_nothing(operation):
            return inputs[0]
        return operation(*inputs, **arguments)

    rebuilt = keras.models.clone_model(core, clone_function=copy, call_function=call)
    return keras.Model(rebuilt.inputs[0], rebuilt.outputs[0], name=name)


def _sample_of(side):
    """`(rng, batch) -> (images, labels)`, random ones that fit the smoke model of this side."""

    def sample(rng, batch):
        return rng.uniform(0, 255, (batch, side, side, 3)).astype("float32"), rng.integers(0, 4, batch)

    return sample


def keras_application(
    *,
    application,
    input_shape=(224, 224, 3),
    num_classes=CLASSES,
    weights=None,
    learning_rate=1e-4,
    name="keras_application",
):
    """Classifier of Keras Applications, compiled with Adam and cross-entropy on integer labels.

    Args:
        application: the name that `keras.applications` gives it, for instance "ResNet50".
        input_shape: (H, W, 3) in pixels; 32 is the least for most families, 71 for Xception, 75 for
            the Inceptions.
        num_classes: size of the output's last axis.
        weights: None, or "imagenet" for the file that Keras publishes at the default side, downloaded
            once into Keras's cache. With other than 1000 classes the head starts fresh, which is said.
        learning_rate: a rate or a schedule; the default suits fine-tuning and is safe from scratch,
            where the families with batch normalisation learn faster at 1e-3.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an unknown `application` or `weights`, an image of other than 3 channels or too
            small, or an image size that the ImageNet file does not fit (VGG with 1000 classes).
        ConnectionError: the ImageNet file is neither in Keras's cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("keras_mobilenet_v2", input_shape=(96, 96, 3), num_classes=5).output_shape
    (None, 5)
    """
    if application not in _DEFAULTS:
        raise ValueError(unknown_choice("application", application, _DEFAULTS))
    if weights not in (None, "imagenet"):
        raise ValueError(f"`weights` must be None or 'imagenet'. Received: {weights!r}.")
    if len(input_shape) != 3 or input_shape[-1] != 3:
        raise ValueError(f"`input_shape` must be (H, W, 3). Received: {input_shape!r}.")
    image = keras.Input(input_shape, name="image")
    default = _DEFAULTS[application]
    model = _rebuild(
        getattr(keras.applications, application)(
            weights=None,
            input_tensor=_preprocess(image, FAMILIES[default["family"]]["preprocessing"]),
            input_shape=tuple(input_shape),
            classes=num_classes,
            classifier_activation=None,
        ),
        name=name,
    )
    if weights:
        load_imagenet(model, application, input_shape=default["input_shape"])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


for _family in FAMILIES.values():
    _application, _side = _family["smoke"]
    register(
        domain="vision",
        task="image_classification",
        variants=_family["variants"],
        smoke={"application": _application, "input_shape": (_side, _side, 3), "num_classes": 4},
        sample=_sample_of(_side),
        weights={"imagenet": {"from": "keras.applications"}},
        preprocessing=PREPROCESSING.get(_family["preprocessing"], _family["preprocessing"]),
        features=last_match_of_each_stride(_family["stages"]),
    )(keras_application)
