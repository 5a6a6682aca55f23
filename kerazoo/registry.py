"""The registry: which models exist, who builds them and how each is checked. A leaf: it names no model.

A model file registers its builder once for all its variants:

    @register(domain="vision", task="image_classification", variants=VARIANTS, smoke=SMOKE, sample=_sample)
    def resnet(*, block, depths, ..., name="resnet"):
        ...

Nothing here imports Keras or TensorFlow.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_ENTRIES: dict[str, "Entry"] = {}


@dataclass(frozen=True)
class Entry:
    """One buildable name: a builder with one row of its table of variants.

    Attributes:
        name: what `kerazoo.build` is called with.
        builder: keyword-only function that returns a compiled `keras.Model`.
        domain: "vision", "text", ...
        task: "image_classification", ...
        arguments: the variant's row: builder arguments that make this name this model.
        params: trainable parameters at those arguments as published, or None.
        smoke: arguments on top of the row that make the model cheap enough to test.
        sample: `(rng, batch) -> (inputs, targets)`, numpy arrays that fit the smoke model.
        weights: tag -> facts about pretrained weights ("file", "sha256", "arguments", "labels", ...).
        preprocessing: what the graph does to its input, or None.
        features: `(model) -> {stride: KerasTensor}` where the general rule does not fit, or None.
        unsupported: promise -> the reason why it cannot hold for this model.
    """

    name: str
    builder: Callable
    domain: str
    task: str
    arguments: Mapping = field(default_factory=dict)
    params: int | None = None
    smoke: Mapping = field(default_factory=dict)
    sample: Callable | None = None
    weights: Mapping = field(default_factory=dict)
    preprocessing: str | None = None
    features: Callable | None = None
    unsupported: Mapping = field(default_factory=dict)

    @property
    def module(self) -> str:
        """Dotted name of the file that registers this model."""
        return self.builder.__module__

    def defaults(self) -> dict:
        """Every builder argument with the value this name gives it."""
        parameters = inspect.signature(self.builder).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty} | dict(self.arguments)


def register(
    *,
    domain,
    task,
    sample,
    smoke=None,
    variants=None,
    weights=None,
    preprocessing=None,
    features=None,
    unsupported=None,
):
    """Registers a builder under the name of each of its variants.

    Args:
        domain: the field the model belongs to, for instance "vision".
        task: what it is for, for instance "image_classification".
        sample: `(rng, batch) -> (inputs, targets)`, numpy arrays that fit the smoke model.
        smoke: builder arguments that make any variant cheap to test.
        variants: name -> row of builder arguments; None registers the builder's own name. Keys of a
            row that are no builder arguments: "params" (published trainable parameters), and "smoke",
            "weights" and "preprocessing", which for that variant add to or replace the ones given here.
        weights: tag -> facts about pretrained weights that any variant can load.
        preprocessing: what the graph does to its input: a key of
            `kerazoo.layers.pixels.NORMALIZATIONS`, or a sentence.
        features: `(model) -> {stride: KerasTensor}`, where the general rule does not fit.
        unsupported: promise -> the reason why it cannot hold for this model.

    Raises:
        TypeError: a builder whose arguments are not keyword-only, or a row with unknown arguments.
        ValueError: a name that is already registered.
    """

    def decorate(builder):
        parameters = inspect.signature(builder).parameters
        positional = [p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY]
        if positional:
            raise TypeError(f"A builder takes keyword-only arguments. Received: {builder.__name__} with {positional}.")
        for name, row in (variants or {builder.__name__: {}}).items():
            row = dict(row)
            facts = {
                "params": row.pop("params", None),
                "smoke": dict(smoke or {}) | row.pop("smoke", {}),
                "weights": dict(weights or {}) | row.pop("weights", {}),
                "preprocessing": row.pop("preprocessing", preprocessing),
            }
            unknown = sorted((set(row) | set(facts["smoke"])) - set(parameters))
            if unknown:
                raise TypeError(f"Variant {name!r} sets arguments that {builder.__name__} does not take: {unknown}.")
            if name in _ENTRIES:
                raise ValueError(f"The name {name!r} is already registered, by {_ENTRIES[name].module}.")
            _ENTRIES[name] = Entry(
                name=name,
                builder=builder,
                domain=domain,
                task=task,
                sample=sample,
                arguments=MappingProxyType(row),
                features=features,
                unsupported=dict(unsupported or {}),
                **facts,
            )
        return builder

    return decorate


def registered() -> Mapping[str, Entry]:
    """The entries of every module imported so far, by name, read-only."""
    return MappingProxyType(_ENTRIES)


# Kind of choice -> the command that lists them.
LISTED_BY = {"model": "kerazoo list", "task": "kerazoo run"}


def unknown_choice(kind, received, choices, limit=30) -> str:
    """The sentence for a name that is not among the choices: the rule, the nearest three, what came.

    Up to `limit` choices are named; of more it says how many there are and what lists them.
    """
    choices = sorted(map(str, choices))
    nearest = difflib.get_close_matches(str(received), choices, n=3, cutoff=0.5)
    names = [*map(repr, nearest)]
    hint = f" Did you mean {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}?" if names else ""
    if len(choices) > limit:
        how = f"`{LISTED_BY[kind]}` lists them" if kind in LISTED_BY else f"for instance {', '.join(choices[:3])}"
        rule = f"There are {len(choices)}; {how}."
    else:
        rule = f"It must be one of: {', '.join(choices) or '(none)'}."
    return f"Unknown {kind}.{hint} {rule} Received: {received!r}."
