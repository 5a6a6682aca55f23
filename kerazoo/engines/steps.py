"""`Steps`: writes with what `kerazoo.exporters.steps.export_steps` has exported, token for token, without Keras."""

from pathlib import Path

import numpy as np

from kerazoo.engines import load
from kerazoo.engines.files import BEGIN, STEP, versions

STATE = "state_"


class Steps:
    """An exported language model or translator that goes on with ids.

    Another program does the same: the state is zeros, or what `begin` gives of the source; for each token it calls
    `step` with `tokens`, `position` and the state, and takes the logits of the next token and the new state.

    Args:
        path: the folder that `export_steps` wrote (its newest version is taken), or one version's.
        engine: as `kerazoo.load` takes it, for both files.
        threads: as `kerazoo.load` takes it.

    Attributes:
        length: tokens that there is room for, the given ones too.
        metadata: what was exported along.

    Raises:
        FileNotFoundError: nothing of that kind is there.

    Example:

    >>> import kerazoo, tempfile
    >>> from kerazoo.exporters.steps import export_steps
    >>> folder = tempfile.mkdtemp()
    >>> _ = export_steps(kerazoo.build("char_lstm", vocabulary_size=30, units=8), folder, length=100)
    >>> len(Steps(folder).write([3, 4], tokens=5))
    5
    """

    def __init__(self, path, *, engine="auto", threads=None):
        path = Path(path)
        found = versions(path) if path.is_dir() and not (path / STEP).is_dir() else []
        folder = path / str(found[-1]) if found else path
        if not (folder / STEP).is_dir():
            raise FileNotFoundError(f"`path` must be a folder that `export_steps` wrote. Received: {str(path)!r}.")
        self.step = load(folder / STEP, engine=engine, threads=threads)
        self.begin = load(folder / BEGIN, engine=engine, threads=threads) if (folder / BEGIN).is_dir() else None
        self.metadata, self.length = self.step.metadata, self.step.metadata["length"]

    def started(self, source=None, rows=1):
        """What goes from step to step, before the first one: {input: array}.

        Args:
            source: (B, S) ids, filled up with padding to the length that was exported, or {input: array}.
            rows: B of a model without a source.
        """
        self._check(source)
        if source is not None:
            return dict(self.begin(source))
        facts = {name: facts for name, facts in self.step.signature.inputs.items() if name.startswith(STATE)}
        return {name: np.zeros((rows, *each.shape[1:]), each.dtype) for name, each in facts.items()}

    def _check(self, source):
        if (source is None) != (self.begin is None):
            raise ValueError(
                f"`source` must be given for a model that has one, and for no other. Received: {source!r}."
            )

    def __call__(self, tokens, position, carried):
        """Logits (B, V) after `tokens` (B,) that stand at `position`, and what goes to the next step."""
        tokens = np.asarray(tokens, "int32").reshape(-1, 1)
        answers = self.step(carried | {"tokens": tokens, "position": np.full(len(tokens), position, "int32")})
        logits = answers.pop("logits")
        return logits, carried | answers

    def write(self, prompt, *, tokens, source=None, ends=(), choose=np.argmax):
        """The ids that follow a prompt.

        Args:
            prompt: ids, at least one; of a translator, the mark that begins a text.
            tokens: to add, at most.
            source: one source, (S,) ids, or {input: array}.
            ends: ids after which a text ends; the last id of the answer is one of them then.
            choose: from logits (V,) to an id; the likeliest unless told otherwise.

        Returns:
            A list of ints.

        Raises:
            ValueError: no prompt, more tokens than there is room for, or a source that lacks or that the model has not.
        """
        prompt = [int(token) for token in prompt]
        if not prompt or tokens < 1 or len(prompt) + tokens > self.length:
            raise ValueError(
                f"A prompt of at least one id and at least one more token must fit into {self.length}. "
                f"Received: {len(prompt)} and {tokens}."
            )
        self._check(source)
        if source is not None:
            one = source if isinstance(source, dict) else {next(iter(self.begin.signature.inputs)): source}
            source = {name: np.asarray(array)[None] for name, array in one.items()}
        carried, written = self.started(source), []
        for position, token in enumerate(prompt):
            logits, carried = self([token], position, carried)
        while True:
            written.append(int(choose(logits[0])))
            if len(written) == tokens or written[-1] in ends:
                return written
            logits, carried = self(written[-1:], len(prompt) + len(written) - 1, carried)
