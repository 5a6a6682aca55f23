"""Llama-type models in GGUF files, llama.cpp's, as numpy arrays under transformers' names.

The gguf package (llama.cpp's own) undoes the quantisation; nothing in a file is run.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from kerazoo.errors import one_line
from kerazoo.extras import need
from kerazoo.paths import expand
from kerazoo.weights.gguf_header import read_header

SUFFIX = ".gguf"
TENSOR = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHERS = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
OTHERS |= {"output.weight": "lm_head.weight"}
SIZES = tuple(f"llama.{size}" for size in ("block_count", "embedding_length", "feed_forward_length", "context_length"))
SIZES += ("llama.attention.head_count",)
EPSILON = "llama.attention.layer_norm_rms_epsilon"
NEEDED = (*SIZES, EPSILON, *(f"tokenizer.ggml.{part}" for part in ("tokens", "merges", "eos_token_id")))
KINDS = "tokenizer.ggml.token_type"
LARGEST = 2**24  # A size beyond it is no model's.


@dataclass(frozen=True)
class Gguf:
    """What a file says of a model.

    Attributes:
        arguments: of `kerazoo.models.text.llama.llama`, that make the model of this file.
        tensors: {name in transformers' Llama: float32 array}.
        pieces: tokens in the order of their ids, bytes as GPT-2 writes them.
        merges: pairs of pieces, "a b", the first ones joined first.
        special: {token: id} of those that no text gives.
        end: id after which an answer ends.
        splits: the name of the way in which texts are split before pieces are joined.
    """

    arguments: dict
    tensors: dict
    pieces: list
    merges: list
    special: dict
    end: int
    splits: str


def read_gguf(path, *, tensors=True):
    """A `Gguf` of a file of the architecture "llama" with byte pairs as tokens.

    Args:
        path: the file.
        tensors: False leaves them out, which is faster.

    Raises:
        FileNotFoundError: no such file.
        ImportError: gguf is not installed.
        ValueError: no GGUF file, a damaged one, one that lacks a size, another architecture, or an unknown tensor.
    """
    path = expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"`weights` must be a tag or an existing file. Received: {str(path)!r}.")
    need("gguf")
    import gguf

    try:
        facts, found = read_header(path)
        _check_facts(facts)
        arguments = _arguments(facts, found)
        _check_tensors(found, arguments)
        arrays = {name: gguf.dequantize(each.content, each.kind) for name, each in found.items() if tensors}
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"{path} is damaged or no GGUF file of a Llama: {one_line(error)}.") from error
    heads = {"attn_q": arguments["heads"], "attn_k": arguments["key_heads"]}
    pieces = facts["tokenizer.ggml.tokens"]
    return Gguf(
        arguments,
        {_name(name): _unpaired(name, array, heads) for name, array in arrays.items()},
        pieces,
        facts["tokenizer.ggml.merges"],
        {piece: place for place, (piece, kind) in enumerate(zip(pieces, facts[KINDS])) if kind == 3},  # "Control".
        facts["tokenizer.ggml.eos_token_id"],
        facts.get("tokenizer.ggml.pre", "default"),
    )


def _check_facts(facts):
    """Refuses another architecture, and facts that are missing or of another type or size."""
    kinds = facts.get("general.architecture"), facts.get("tokenizer.ggml.model")
    if kinds != ("llama", "gpt2"):
        raise ValueError(f"it must be a model 'llama' with tokens of 'gpt2'. Received: {kinds!r:.80}")
    lacking = [name for name in (*NEEDED, KINDS) if name not in facts]
    if lacking:
        raise ValueError(f"it must say all that a Llama is made of. Received: nothing of {', '.join(lacking)}")
    pieces, end = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.eos_token_id"]
    sizes = [facts[name] for name in (*SIZES, "llama.attention.head_count_kv") if name in facts]
    scales = [facts[name] for name in (EPSILON, "llama.rope.freq_base") if name in facts]
    sound = (
        all(type(size) is int and 0 < size <= LARGEST for size in sizes)
        and all(type(scale) is float and 0 < scale < math.inf for scale in scales)
        and all(type(words) is list for words in (pieces, facts["tokenizer.ggml.merges"]))
        and isinstance(facts[KINDS], np.ndarray)
        and len(facts[KINDS]) == len(pieces)
        and type(end) is int
        and 0 <= end < len(pieces)
        and type(facts.get("tokenizer.ggml.pre", "")) is str
    )
    if not sound:
        raise ValueError("its sizes must be positive numbers, and its tokens strings with a type each")


def _arguments(facts, tensors):
    """The arguments of `kerazoo.models.text.llama.llama` that make the model of these facts."""
    heads = facts["llama.attention.head_count"]
    return {
        "depth": facts["llama.block_count"],
        "width": facts["llama.embedding_length"],
        "hidden": facts["llama.feed_forward_length"],
        "heads": heads,
        "key_heads": facts.get("llama.attention.head_count_kv", heads),
        "vocabulary_size": len(facts["tokenizer.ggml.tokens"]),
        "context": facts["llama.context_length"],
        "base": float(facts.get("llama.rope.freq_base", 10_000.0)),
        "epsilon": round(float(facts["llama.attention.layer_norm_rms_epsilon"]), 9),
        "tied": "output.weight" not in tensors,
    }


def _check_tensors(tensors, arguments):
    """Refuses tensors of other names or shapes than these arguments give, before a model is built of them."""
    for name in tensors:
        _name(name)
    width, hidden, heads, key_heads = (arguments[key] for key in ("width", "hidden", "heads", "key_heads"))
    if width % (2 * heads) or heads % key_heads:
        raise ValueError(f"heads must share {width} channels evenly. Received: {heads} and {key_heads} heads")
    keys = width // heads * key_heads
    shapes = {"attn_q": (width, width), "attn_k": (keys, width), "attn_v": (keys, width), "attn_output": (width, width)}
    shapes |= {"attn_norm": (width,), "ffn_norm": (width,), "ffn_down": (width, hidden)}
    shapes |= {"ffn_gate": (hidden, width), "ffn_up": (hidden, width)}
    outer = {"token_embd": (arguments["vocabulary_size"], width), "output_norm": (width,)}
    outer |= {} if arguments["tied"] else {"output": outer["token_embd"]}
    if len(tensors) != len(outer) + arguments["depth"] * len(shapes):
        raise ValueError(f"a Llama of {arguments['depth']} blocks has other tensors. Received: {len(tensors)} of them")
    wanted = {f"{name}.weight": shape for name, shape in outer.items()}
    for block in range(arguments["depth"]):
        wanted |= {f"blk.{block}.{part}.weight": shape for part, shape in shapes.items()}
    for name, shape in wanted.items():
        received = tensors[name].shape if name in tensors else "no such tensor"
        if received != shape:
            raise ValueError(f"{name} must be {shape}. Received: {received}")


def _name(name):
    if name in OTHERS:
        return OTHERS[name]
    found = TENSOR.fullmatch(name)
    if not found or found[2] not in PARTS:
        raise ValueError(f"it has a tensor that Llama has not: {name!r}")
    return f"model.layers.{found[1]}.{PARTS[found[2]]}.weight"


def _unpaired(name, array, heads):
    """Queries' and keys' rows as transformers has them; llama.cpp puts those side by side that turn together."""
    array = np.asarray(array, "float32")
    found = TENSOR.fullmatch(name)
    if not found or found[2] not in heads:
        return array
    rows, columns = array.shape
    count = heads[found[2]]
    return array.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
