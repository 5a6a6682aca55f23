"""`export_steps`: the files by which a phone writes token for token, with all that was computed before kept.

An exported language model takes whole texts: for each new token it would compute everything again.
"""

import numpy as np

from kerazoo.engines.files import BEGIN, STEP
from kerazoo.engines.interface import Interface
from kerazoo.exporters import export
from kerazoo.exporters.parity import NEXT_TOKEN
from kerazoo.exporters.precision import in_float32
from kerazoo.exporters.versions import new_version
from kerazoo.generation.one_step import one_step
from kerazoo.generation.stepper import Stepper

ROWS, TOKENS = 16, 3  # Of the examples that the files are held against; TOKENS of those that are made up.


def export_steps(
    model,
    path,
    *,
    length,
    source=None,
    prompts=None,
    formats=("tflite",),
    quantize=None,
    batch_size=1,
    tokenizer=None,
    metadata=None,
):
    """Exports a language model or a translator as `path/<version>/step/` and, with a source, `path/<version>/begin/`.

    Both are what `kerazoo.export` writes of the two models of `kerazoo.generation.one_step`: reloaded, and held against
    the model on a state as it is after some tokens. `kerazoo.engines.steps.Steps` runs them; what another program has
    to do is in its docstring.

    Args:
        model: of kerazoo, with an input `tokens`; under mixed precision a float32 copy is exported.
        path: the folder of all versions; nothing in it is overwritten.
        length: tokens that there is room for, the given ones too.
        source: for a model that has one, examples of it: (N, S) ids, or {input: array}; sources will have this length.
        prompts: examples of what is written, (N, T) ids: the files are held against the model after them. Those made up
            for None tell little of a trained model with 8-bit weights.
        formats: "tflite", "saved_model", or both.
        quantize: further TFLite files: "float16", "dynamic" (8-bit weights), or both.
        batch_size: rows of the TFLite files, all at one position.
        tokenizer: of the model; `tokenizer.json` holds it.
        metadata: a JSON-able dict that travels along.

    Returns:
        {"begin": `ExportReport` or None, "step": `ExportReport`}.

    Raises:
        ValueError: a model that `one_step` refuses, a source that lacks or does not fit, or as `kerazoo.export`.
        ExportError: a file that does not answer as the model does; nothing is left then.

    Example:

    >>> import kerazoo, tempfile
    >>> model = kerazoo.build("char_lstm", vocabulary_size=30, units=8)
    >>> reports = export_steps(model, tempfile.mkdtemp(), length=100)
    >>> reports["step"].files[0].max_relative_error < 1e-4
    True
    """
    model = in_float32(model)
    encoder = Stepper(model).encoder
    others = [tensor.name for tensor in encoder.inputs] if encoder else []
    if (source is None) != (not others):
        raise ValueError(f"`source` must be given for a model that has one. Received: {source!r}, for {others}.")
    given, longest = {}, None
    if others:
        given = source if isinstance(source, dict) else {others[0]: source}
        longest = max(np.shape(array)[1] for array in given.values())
    begin, step = one_step(model, length=length, source_length=longest)
    examples = _examples(begin, step, given, _prompts(prompts, step, length))
    options = {"formats": formats, "quantize": quantize, "batch_size": batch_size}
    with new_version(path) as (folder, move):
        reports = {BEGIN: None}
        if begin:
            reports[BEGIN] = export(begin, folder / BEGIN, representative_data=examples[BEGIN], **options)
        reports[STEP] = export(
            step,
            folder / STEP,
            representative_data=examples[STEP],
            tokenizer=tokenizer,
            metadata=(metadata or {}) | {"length": length, "output": NEXT_TOKEN},
            **options,
        )
        _, target = move()
    for part, report in reports.items():
        if report:
            report.path = str(target / part / str(report.version))
    return reports


def _prompts(prompts, step, length):
    """(ROWS, T) ids, the last of which stand at the position that is compared.

    Raises:
        ValueError: none, too long ones, or ids out of range.
    """
    size = step.output["logits"].shape[-1]
    if prompts is None:
        return np.random.default_rng(0).integers(0, size, (ROWS, min(TOKENS + 1, length))).astype("int32")
    prompts = np.asarray(prompts)
    fits = prompts.ndim == 2 and prompts.size and prompts.dtype.kind in "iu" and prompts.shape[1] <= length
    if not fits or prompts.min() < 0 or prompts.max() >= size:
        raise ValueError(f"`prompts` must be (N, at most {length}) ids in [0, {size}). Received: {prompts!r}.")
    return np.resize(prompts, (max(ROWS, len(prompts)), prompts.shape[1])).astype("int32")


def _examples(begin, step, source, prompts):
    """{part: {input: array}}: sources, and the states as they are after prompts, with what comes next."""
    rows, time = prompts.shape
    shapes = {name: tuple(tensor.shape)[1:] for name, tensor in step.input.items()}
    carried = {name: np.zeros((rows, *shape), step.input[name].dtype) for name, shape in shapes.items()}
    examples = {}
    if begin:
        interface = Interface(begin)
        source = {name: np.resize(array, (rows, *np.shape(array)[1:])) for name, array in source.items()}
        examples[BEGIN] = interface.unpack(source)
        carried |= {name: np.asarray(value) for name, value in interface.serve(**examples[BEGIN]).items()}
    for position in range(time):
        carried |= {"tokens": prompts[:, position : position + 1], "position": np.full(rows, position, "int32")}
        if position < time - 1:
            answers = step(carried)
            carried |= {name: np.asarray(value) for name, value in answers.items() if name in carried}
    return examples | {STEP: carried}
