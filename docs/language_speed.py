"""Tokens a second of a GPT in training and in writing, side by side: kerazoo, keras-hub, transformers on PyTorch.

    python docs/language_speed.py                 # gpt_mini: batches of 4 windows of 256 tokens, 200 tokens written

All three have six layers of six heads, 384 wide, and train without dropout by their own AdamW. Each way runs in a
process of its own, and the ways take turns, so that a machine that slows down slows them all alike; the best turn
counts. A library that is not installed is left out.
"""

import argparse
import json
import subprocess
import sys
import time
from importlib.util import find_spec

VOCABULARY, CONTEXT, DEPTH, HEADS, WIDTH = 65, 256, 6, 6, 384
TOKENS, PROMPT = 200, 8


def rate(call, tokens, times=2):
    """Tokens a second of the fastest of some calls, after one that is not counted."""
    call()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        found.append(tokens / (time.perf_counter() - start))
    return max(found)


def batch_of(batch):
    """(tokens, next tokens), random ones."""
    import numpy as np

    ids = np.random.default_rng(0).integers(0, VOCABULARY, (batch, CONTEXT + 1))
    return ids[:, :-1], ids[:, 1:]


def kerazoo_rates(batch, steps):
    """`(trained, written)` tokens a second."""
    import tensorflow as tf

    import kerazoo
    from kerazoo.generation.generator import Generator

    model = kerazoo.build("gpt_mini", dropout=0.0, seed=0)
    data = tf.data.Dataset.from_tensors(batch_of(batch)).cache().repeat(steps)
    trained = rate(lambda: model.fit(data, verbose=0, shuffle=False), steps * batch * CONTEXT)
    writer = Generator(model)
    return trained, rate(lambda: writer.generate([[1] * PROMPT], tokens=TOKENS, temperature=0), TOKENS)


def keras_hub_rates(batch, steps):
    """The same of its GPT2CausalLM."""
    import keras
    import keras_hub
    import numpy as np
    import tensorflow as tf

    body = keras_hub.models.GPT2Backbone(
        vocabulary_size=VOCABULARY,
        num_layers=DEPTH,
        num_heads=HEADS,
        hidden_dim=WIDTH,
        intermediate_dim=4 * WIDTH,
        dropout=0.0,
        max_sequence_length=CONTEXT,
    )
    model = keras_hub.models.GPT2CausalLM(backbone=body, preprocessor=None)
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        sampler="greedy",
    )
    tokens, following = batch_of(batch)
    inputs = {"token_ids": tokens, "padding_mask": np.ones_like(tokens, bool)}
    data = tf.data.Dataset.from_tensors((inputs, following)).cache().repeat(steps)
    trained = rate(lambda: model.fit(data, verbose=0, shuffle=False), steps * batch * CONTEXT)
    length = PROMPT + TOKENS
    prompt = {
        "token_ids": np.array([[1] * PROMPT + [0] * TOKENS]),
        "padding_mask": (np.arange(length) < PROMPT)[None],
    }
    return trained, rate(lambda: model.generate(prompt, stop_token_ids=None), TOKENS)


def transformers_rates(batch, steps):
    """The same of its GPT2LMHeadModel."""
    import torch
    import transformers

    sizes = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": WIDTH, "n_layer": DEPTH, "n_head": HEADS}
    without = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0, "bos_token_id": None, "eos_token_id": None}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **without))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    tokens, following = (torch.tensor(ids) for ids in batch_of(batch))

    def epoch():
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(model(tokens).logits.view(-1, VOCABULARY), following.reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    trained = rate(epoch, steps * batch * CONTEXT)
    model.eval()

    def write():
        with torch.no_grad():
            ids = torch.ones(1, PROMPT, dtype=torch.long)
            model.generate(ids, attention_mask=ids, max_new_tokens=TOKENS, do_sample=False, pad_token_id=0)

    return trained, rate(write, TOKENS)


def turns(script, options, rates, columns):
    """Measures every way in turn, each in a process of its own, and prints a table of the best of each.

    Args:
        script: the file to run, `__file__` of the caller.
        options: {"--batch": 4, ...}, which the command line may change.
        rates: {way: (package, function of the options that gives a number for each column)}.
        columns: what the numbers are.
    """
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in options.items():
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--rounds", type=int, default=2, help="turns that every way gets; its fastest counts")
    parser.add_argument("--way", choices=rates, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = [getattr(arguments, name.strip("-")) for name in options]
    if arguments.way:
        print(json.dumps(rates[arguments.way][1](*chosen)))
        return
    ways = [way for way, (package, _) in rates.items() if find_spec(package)]
    best = {way: [0.0] * len(columns) for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            given = [f"{name}={value}" for name, value in zip(options, chosen)]
            ran = subprocess.run([sys.executable, script, *given, f"--way={way}"], capture_output=True, text=True)
            if ran.returncode:
                raise SystemExit(f"{way}: {ran.stderr[-2000:]}")
            best[way] = list(map(max, best[way], json.loads(ran.stdout.splitlines()[-1])))
    print("| | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for way, found in best.items():
        print(f"| {way} | " + " | ".join(f"{value:,.0f}" for value in found) + " |")


if __name__ == "__main__":
    found = {"kerazoo": kerazoo_rates, "keras_hub": keras_hub_rates, "transformers": transformers_rates}
    turns(
        __file__,
        {"--batch": 4, "--steps": 6},
        {package: (package, function) for package, function in found.items()},
        ("training, tokens/s", "writing one text, tokens/s"),
    )
