"""Llama-type models in GGUF files, llama.cpp's, as numpy arrays under transformers' names.

The gguf package (llama.cpp's own) reads the file and undoes the quantisation; nothing in a file is run.
"""

import re
from dataclasses import dataclass

import numpy as np

from kerazoo.extras import need
from kerazoo.paths import expand

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


NEEDED = (
    *(f"llama.{size}" for size in ("block_count", "embedding_length", "feed_forward_length", "context_length")),
    "llama.attention.head_count",
    "llama.attention.layer_norm_rms_epsilon",
    *(f"tokenizer.ggml.{part}" for part in ("tokens", "token_type", "merges", "eos_token_id")),
)


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
        reader = gguf.GGUFReader(path)
        facts = {name: field.contents() for name, field in reader.fields.items()}
        names = {tensor.name for tensor in reader.tensors}
        wanted = reader.tensors if tensors else ()
        arrays = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in wanted}
    except (ValueError, IndexError, KeyError, TypeError, NotImplementedError, OverflowError, UnicodeError) as error:
        raise ValueError(f"{path} is damaged or no GGUF file: {error}") from error
    kinds = facts.get("general.architecture"), facts.get("tokenizer.ggml.model")
    if kinds != ("llama", "gpt2"):
        raise ValueError(f"{path} must be a model 'llama' with tokens of 'gpt2'. Received: {kinds}.")
    lacking = [name for name in NEEDED if name not in facts]
    if lacking:
        raise ValueError(f"{path} must say all that a Llama is made of. Received: nothing of {', '.join(lacking)}.")
    heads = {"attn_q": facts["llama.attention.head_count"]}
    heads["attn_k"] = facts.get("llama.attention.head_count_kv", heads["attn_q"])
    pieces, kinds = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    arguments = {
        "depth": facts["llama.block_count"],
        "width": facts["llama.embedding_length"],
        "hidden": facts["llama.feed_forward_length"],
        "heads": heads["attn_q"],
        "key_heads": heads["attn_k"],
        "vocabulary_size": len(pieces),
        "context": facts["llama.context_length"],
        "base": float(facts.get("llama.rope.freq_base", 10_000.0)),
        "epsilon": round(float(facts["llama.attention.layer_norm_rms_epsilon"]), 9),
        "tied": "output.weight" not in names,
    }
    return Gguf(
        arguments,
        {_name(name, path): _unpaired(name, array, heads) for name, array in arrays.items()},
        pieces,
        facts["tokenizer.ggml.merges"],
        {piece: place for place, (piece, kind) in enumerate(zip(pieces, kinds)) if kind == 3},  # "Control".
        facts["tokenizer.ggml.eos_token_id"],
        facts.get("tokenizer.ggml.pre", "default"),
    )


def _name(name, path):
    if name in OTHERS:
        return OTHERS[name]
    found = TENSOR.fullmatch(name)
    if not found or found[2] not in PARTS:
        raise ValueError(f"{path} has a tensor that Llama has not: {name!r}.")
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
