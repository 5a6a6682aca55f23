"""Tokens a second of a Transformer in training and in translating: kerazoo, keras-hub, transformers on PyTorch.

    python docs/translation_speed.py            # transformer_small: batches of 64 pairs, then 16 sources translated

All three have six layers of four heads on each side, 512 wide with 1,024 between, one embedding of 8,000 pieces, and
train without dropout on smoothed labels by their own Adam: kerazoo's `transformer_small`, keras-hub's BART (with
positions that are learned, and GELU), transformers' Marian. Texts have 24 tokens; translations 32, none of which ends
earlier, by greedy search and by four beams. Each way runs in a process of its own, and the ways take turns; the best
turn counts. A library that is not installed is left out.
"""

from language_speed import rate, turns

VOCABULARY, LENGTH, TOKENS = 8000, 24, 32
DEPTH, HEADS, WIDTH, HIDDEN, CONTEXT = 6, 4, 512, 1024, 64
SMOOTHING, RATE, BEAMS = 0.1, 1e-3, 4
BEGIN, END = 1, 2


def pairs_of(batch):
    """(source, target, next tokens), random ones: (batch, LENGTH) each."""
    import numpy as np

    rng = np.random.default_rng(0)
    source, target = (rng.integers(4, VOCABULARY, (batch, LENGTH + extra)) for extra in (0, 1))
    return source, target[:, :-1], target[:, 1:]


def kerazoo_rates(batch, steps, sources):
    """`(trained, greedy, beams)` tokens of targets a second."""
    import tensorflow as tf

    import kerazoo
    from kerazoo.generation.beam import BeamSearch

    model = kerazoo.build(
        "transformer_small", vocabulary_size=VOCABULARY, context=CONTEXT, dropout=0.0, learning_rate=RATE, seed=0
    )
    source, target, following = pairs_of(batch)
    data = tf.data.Dataset.from_tensors(({"source": source, "tokens": target}, following)).cache().repeat(steps)
    trained = rate(lambda: model.fit(data, verbose=0, shuffle=False), steps * batch * LENGTH)
    search, asked = BeamSearch(model, end=END, never=(END,)), pairs_of(sources)[0]

    def written(beams):
        return rate(lambda: search([[BEGIN]] * sources, asked, tokens=TOKENS, beams=beams), sources * TOKENS)

    return trained, written(1), written(BEAMS)


def keras_hub_rates(batch, steps, sources):
    """The same of its BartSeq2SeqLM."""
    import keras
    import keras_hub
    import numpy as np
    import tensorflow as tf

    body = keras_hub.models.BartBackbone(
        vocabulary_size=VOCABULARY,
        num_layers=DEPTH,
        num_heads=HEADS,
        hidden_dim=WIDTH,
        intermediate_dim=HIDDEN,
        dropout=0.0,
        max_sequence_length=CONTEXT,
    )
    model = keras_hub.models.BartSeq2SeqLM(backbone=body, preprocessor=None)

    def smoothed(right, logits):
        every = keras.ops.one_hot(right, VOCABULARY)
        return keras.losses.categorical_crossentropy(every, logits, from_logits=True, label_smoothing=SMOOTHING)

    def inputs(source, target):
        return {
            "encoder_token_ids": source,
            "encoder_padding_mask": np.ones_like(source, bool),
            "decoder_token_ids": target,
            "decoder_padding_mask": np.ones_like(target, bool),
        }

    source, target, following = pairs_of(batch)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=smoothed)
    data = tf.data.Dataset.from_tensors((inputs(source, target), following)).cache().repeat(steps)
    trained = rate(lambda: model.fit(data, verbose=0, shuffle=False), steps * batch * LENGTH)
    begun = np.full((sources, 1 + TOKENS), BEGIN)
    asked = inputs(pairs_of(sources)[0], begun) | {
        "decoder_padding_mask": np.arange(1 + TOKENS) < np.ones((sources, 1))
    }

    def written(sampler):
        model.compile(sampler=sampler)
        return rate(lambda: model.generate(asked, stop_token_ids=None), sources * TOKENS)

    return trained, written("greedy"), written(keras_hub.samplers.BeamSampler(num_beams=BEAMS))


def transformers_rates(batch, steps, sources):
    """The same of its MarianMTModel."""
    import torch
    import transformers

    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", DEPTH), ("attention_heads", HEADS), ("ffn_dim", HIDDEN))
    }
    model = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=VOCABULARY,
            d_model=WIDTH,
            max_position_embeddings=CONTEXT,
            activation_function="relu",
            scale_embedding=True,
            dropout=0.0,
            pad_token_id=0,
            eos_token_id=END,
            forced_eos_token_id=None,
            decoder_start_token_id=BEGIN,
            **sides,
        )
    )
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    source, target, following = (torch.tensor(ids) for ids in pairs_of(batch))

    def epoch():
        for _ in range(steps):
            logits = model(input_ids=source, decoder_input_ids=target).logits.view(-1, VOCABULARY)
            loss = torch.nn.functional.cross_entropy(logits, following.reshape(-1), label_smoothing=SMOOTHING)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    trained = rate(epoch, steps * batch * LENGTH)
    model.eval()
    asked = torch.tensor(pairs_of(sources)[0])

    def write(beams):
        with torch.no_grad():
            model.generate(asked, num_beams=beams, do_sample=False, min_new_tokens=TOKENS, max_new_tokens=TOKENS)

    def written(beams):
        return rate(lambda: write(beams), sources * TOKENS)

    return trained, written(1), written(BEAMS)


if __name__ == "__main__":
    turns(
        __file__,
        {"--batch": 64, "--steps": 4, "--sources": 16},
        {
            "kerazoo": ("kerazoo", kerazoo_rates),
            "keras_hub": ("keras_hub", keras_hub_rates),
            "transformers": ("transformers", transformers_rates),
        },
        ("training, tokens/s", "greedy, tokens/s", "4 beams, tokens/s"),
    )
