"""What this process runs on: its cores, its processor, its GPUs. TensorFlow is asked for the GPUs alone."""

import functools
import os
import platform
from pathlib import Path


def cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has (containers, `taskset`, SLURM)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def processor() -> str:
    """The processor's model, for instance "AMD EPYC 9654"."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines() if facts.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


@functools.cache
def gpus() -> tuple:
    """The models of the GPUs that TensorFlow sees, for instance ("NVIDIA H200",)."""
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return tuple(facts.get("device_name", "unknown GPU") for facts in details)


def device() -> str:
    """The model of what models run on: the first GPU, or else the processor."""
    return gpus()[0] if gpus() else processor()
