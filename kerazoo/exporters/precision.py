"""The float32 twin of a model under mixed precision: TFLite and ONNX files cannot run the mixed one."""

import keras


def in_float32(model):
    """The model itself where it computes in float32; otherwise the same weights in a float32 copy.

    Raises:
        ValueError: a model that cannot be made again from its configuration.
    """
    if all(layer.compute_dtype in (None, "float32") for layer in model._flatten_layers() if layer.dtype_policy):
        return model
    classes = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # For layers that a custom layer makes without a dtype.
    try:
        with keras.saving.custom_object_scope(classes):
            twin = type(model).from_config(_float32(model.get_config()))
            if not twin.built and getattr(model, "inputs", None):
                twin.build(model.input_shape)
            twin.set_weights(model.get_weights())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"TFLite and ONNX need the model in float32, and {model.name!r} under {model.dtype_policy.name} "
            f"cannot be made again from its configuration ({error}). Build it with float32 and load its weights."
        ) from error
    finally:
        keras.config.set_dtype_policy(before)
    return twin


def _float32(config):
    """A configuration with every dtype policy replaced by float32."""
    if isinstance(config, dict):
        if str(config.get("class_name", "")).endswith("DTypePolicy"):
            return "float32"
        return {
            key: "float32" if key == "dtype" and _mixed(value) else _float32(value) for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(map(_float32, config))
    return config


def _mixed(value):
    return isinstance(value, str) and value in ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
