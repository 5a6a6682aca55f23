"""Classifiers on the backbones of keras-hub behind kerazoo's contract (https://keras.io/keras_hub/).

Wrapped are families that Keras Applications lacks and that publish ImageNet weights: ResNet-vd (ResNet-D:
He et al., 2018, https://arxiv.org/abs/1812.01187) with PaddleClas's weights, and CSPNet (Wang et al., 2019,
https://arxiv.org/abs/1911.11929) with Darknet-53 (Redmon & Farhadi, 2018, https://arxiv.org/abs/1804.02767)
with timm's.

keras-hub builds each backbone; its layers, all of them Keras's own, are then copied into one flat graph that
starts with the normalisation and ends with float32 logits. keras-hub is needed to build a model (the extra
`kerazoo[cv]`), not to load a saved or exported one.
"""

import itertools

import keras
from keras import layers

from kerazoo.extras import need
from kerazoo.layers.pixels import normalize
from kerazoo.models.features import last_match_of_each_stride
from kerazoo.models.rebuild import fresh
from kerazoo.registry import register, unknown_choice
from kerazoo.weights.keras_hub_presets import CLASSES, load_preset


def _row(backbone, options, *, depths, filters, **smoke):
    """A variant: keras-hub's class with its arguments, and at smoke size with those that make it small."""
    small = {depths: [1] * len(options[depths]), "stackwise_num_filters": filters, **smoke}
    return {"backbone": backbone, "options": options, "smoke": {"options": options | small}}


def _resnet_vd(block, depths):
    options = {
        "input_conv_filters": [32, 32, 64],
        "input_conv_kernel_sizes": [3, 3, 3],
        "stackwise_num_filters": [64, 128, 256, 512],
        "stackwise_num_blocks": depths,
        "stackwise_num_strides": [1, 2, 2, 2],
        "block_type": f"{block}_block_vd",
    }
    return _row(
        "ResNetBackbone",
        options,
        depths="stackwise_num_blocks",
        filters=[64, 32, 32, 32],  # keras-hub insists on 64.
        input_conv_filters=[8, 8, 16],
    )


def _darknet(stage, **options):
    options = {
        "stem_filters": 32,
        "stem_kernel_size": 3,
        "stem_strides": 1,
        "stem_padding": "same",
        "stackwise_depth": [1, 2, 8, 8, 4],
        "stackwise_strides": [2, 2, 2, 2, 2],
        "stackwise_num_filters": [64, 128, 256, 512, 1024],
        "block_type": "dark_block",
        "stage_type": stage,
        **options,
    }
    return _row("CSPNetBackbone", options, depths="stackwise_depth", filters=[8, 16, 24, 32, 32], stem_filters=8)


def _csp_resnet(filters, groups, **ratios):
    options = {
        "stem_filters": 64,
        "stem_kernel_size": 7,
        "stem_strides": 4,
        "stem_pooling": "max",
        "stackwise_depth": [3, 3, 5, 2],
        "stackwise_strides": [1, 2, 2, 2],
        "stackwise_num_filters": filters,
        "block_type": "bottleneck_block",
        "stage_type": "csp",
        "groups": groups,
        "cross_linear": True,
        **ratios,
    }
    small = {"groups": min(groups, 4)}
    return _row("CSPNetBackbone", options, depths="stackwise_depth", filters=[16, 24, 32, 32], stem_filters=8, **small)


def _from(**presets):
    return {"weights": {tag: {"from": "keras_hub", "preset": preset} for tag, preset in presets.items()}}


_SSLD = "resnet_vd_50_ssld{}_imagenet"
# `params`: trainable ones with 1000 classes. The CSPNets have timm's; PaddleClas publishes ResNet-vd's rounded
# and with moving statistics: 11.72M, 21.84M, 25.63M, 44.67M and 60.36M.
FAMILIES = {
    "ResNet-vd": {
        "variants": {
            "hub_resnet_vd_18": _resnet_vd("basic", [2, 2, 2, 2])
            | _from(imagenet="resnet_vd_18_imagenet")
            | {"params": 11_712_968},
            "hub_resnet_vd_34": _resnet_vd("basic", [3, 4, 6, 3])
            | _from(imagenet="resnet_vd_34_imagenet")
            | {"params": 21_821_128},
            "hub_resnet_vd_50": _resnet_vd("bottleneck", [3, 4, 6, 3])
            | _from(
                imagenet="resnet_vd_50_imagenet",
                imagenet_ssld=_SSLD.format(""),
                imagenet_ssld_v2=_SSLD.format("_v2"),
                imagenet_ssld_v2_fix=_SSLD.format("_v2_fix"),
            )
            | {"params": 25_576_264},
            "hub_resnet_vd_101": _resnet_vd("bottleneck", [3, 4, 23, 3])
            | _from(imagenet="resnet_vd_101_imagenet", imagenet_ssld="resnet_vd_101_ssld_imagenet")
            | {"params": 44_568_392},
            "hub_resnet_vd_152": _resnet_vd("bottleneck", [3, 8, 36, 3])
            | _from(imagenet="resnet_vd_152_imagenet")
            | {"params": 60_212_040},
        },
        "stages": r"conv3_relu|stack\d_block\d+_out",
    },
    "CSPNet": {
        "variants": {
            "hub_csp_darknet_53": _darknet(
                "csp", bottle_ratio=[0.5, 1.0], block_ratio=[1.0, 0.5], expand_ratio=[2.0, 1.0], down_growth=True
            )
            | _from(imagenet="csp_darknet_53_ra_imagenet")
            | {"params": 27_642_184},
            "hub_csp_resnet_50": _csp_resnet(
                [128, 256, 512, 1024], 1, bottle_ratio=[0.5], block_ratio=[1.0], expand_ratio=[2.0]
            )
            | _from(imagenet="csp_resnet_50_ra_imagenet")
            | {"params": 21_616_168},
            "hub_csp_resnext_50": _csp_resnet(
                [256, 512, 1024, 2048], 32, bottle_ratio=[1.0], block_ratio=[0.5], expand_ratio=[1.0]
            )
            | _from(imagenet="csp_resnext_50_ra_imagenet")
            | {"params": 20_569_896},
            "hub_darknet_53": _darknet("dark", bottle_ratio=[0.5], block_ratio=[1.0], expand_ratio=[1.0])
            | _from(imagenet="darknet_53_imagenet")
            | {"params": 41_609_928},
        },
        "stages": r"stage_\d_(csp_transition_activation|block_\d+_dark_block_add)",
    },
}
VARIANTS = {name: row for family in FAMILIES.values() for name, row in family["variants"].items()}
BACKBONES = ("CSPNetBackbone", "ResNetBackbone")  # Those made of Keras's own layers alone.
SIDE = 64  # of the smoke models' images


def _sample(rng, batch):
    """Random (images, labels) that fit the smoke models."""
    return rng.uniform(0, 255, (batch, SIDE, SIDE, 3)).astype("float32"), rng.integers(0, 4, batch)


def keras_hub_classifier(
    *,
    backbone,
    options,
    input_shape=(224, 224, 3),
    num_classes=CLASSES,
    weights=None,
    learning_rate=1e-3,
    name="keras_hub_classifier",
):
    """Classifier on a keras-hub backbone, compiled with Adam and cross-entropy on integer labels.

    Args:
        backbone: the class in `keras_hub.models`: "ResNetBackbone" or "CSPNetBackbone".
        options: its constructor's arguments.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache.
            With other than 1000 classes the head starts fresh, which is said.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: an unknown `backbone`, an image of other than 3 channels, or a preset that does not fit.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("hub_resnet_vd_18", input_shape=(96, 96, 3), num_classes=5).output_shape
    (None, 5)
    """
    if backbone not in BACKBONES:
        raise ValueError(unknown_choice("backbone", backbone, BACKBONES))
    if len(input_shape) != 3 or input_shape[-1] != 3:
        raise ValueError(f"`input_shape` must be (H, W, 3). Received: {input_shape!r}.")
    need("keras_hub")
    import keras_hub

    core = getattr(keras_hub.models, backbone)(image_shape=tuple(input_shape), **options)
    image = keras.Input(input_shape, name="image")
    poolings = itertools.count(1)

    def copy(operation):
        if isinstance(operation, layers.AveragePooling2D):  # keras-hub leaves the name to a global count.
            return fresh(operation, name=f"average_pooling_{next(poolings)}")
        return fresh(operation)

    def call(operation, *inputs, **arguments):
        if inputs[0] is image:
            inputs = (normalize(image, "imagenet"), *inputs[1:])
        return operation(*inputs, **arguments)

    body = keras.models.clone_model(core, input_tensors=image, clone_function=copy, call_function=call)
    x = layers.GlobalAveragePooling2D(name="pool")(body.outputs[0])
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    if weights:
        load_preset(model, weights)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


for _family in FAMILIES.values():
    register(
        domain="vision",
        task="image_classification",
        variants=_family["variants"],
        smoke={"input_shape": (SIDE, SIDE, 3), "num_classes": 4},
        sample=_sample,
        preprocessing="imagenet",
        features=last_match_of_each_stride(_family["stages"]),
    )(keras_hub_classifier)
