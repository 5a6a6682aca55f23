"""Face recognition: pictures of people -> a network that tells people apart whom it has never seen.

    kerazoo run face_recognition                                           # the ORL faces
    kerazoo run face_recognition --data staff --pairs pairs.txt            # staff/<person>/<picture>.jpg
    kerazoo run face_recognition --photograph group.jpg --gallery people.npz --network saved_models/face_recognition/x

The network is trained on some people, its stopping and its thresholds are decided on others, and it is judged once on
a third part: by people, never by pictures. Beside it stand the cosine of plain pixels and eigenfaces. A run leaves
`run.json`, `report.html` and `gallery.npz` in its folder, and the exported network in
saved_models/face_recognition/<data>-<model>/<version>. --photograph finds and aligns the faces of a photograph with
MTCNN and names those that a gallery knows.

Data: the ORL database of faces (Samaria and Harter, 1994), 40 people, ten pictures each: people 1-25 train, 26-30
validation, 31-40 test. Faces are personal data: train on and enrol people who agreed to it.
"""

import sys
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import duplicate_images, face_judging, photographs, running
from kerazoo.quiet import import_tensorflow

TASK = "face_recognition"
NEEDS = ("PIL", "matplotlib", "sklearn")
# A small improved ResNet: 250 pictures teach no large one, and the published recipes count on millions.
RECIPE = {
    "model": "arcface_iresnet18",
    "size": [80, 64],
    "head": "cosface",
    "margin": 0.2,
    "scale": 16.0,
    "dimension": 128,
    "epochs": 60,
    "batch_size": 50,
    "repeats": 4,
    "learning_rate": 0.05,
    "weight_decay": 5e-4,
    "precision": "float32",
}
BUILDER = {"depths": (1, 1, 1, 1), "width": 24}  # The recipe's network, where --model and --option say nothing.
# What decides the outcome of a training; a run is resumed only with the same.
SETTINGS = (
    "dataset data pairs limit drop_duplicates model option size head margin scale dimension epochs batch_size repeats "
    "learning_rate weight_decay patience precision seed"
)
PEOPLE = 6  # At least: two in each part.


def parse_args(argv):
    """The options; those that a recipe can decide are None until they are settled."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="orl_faces (default)")
    source.add_argument("--data", type=Path, metavar="FOLDER", help="person/picture.jpg")
    data.add_argument("--pairs", type=Path, metavar="FILE", help="test pairs as LFW has them; by default all pairs")
    data.add_argument("--limit", type=int, help="pictures of each person at most, for a first look")
    duplicate_images.add_option(data)
    data.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="the network's input, multiples of 16")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", help=f"one of `kerazoo list --task {TASK}`")
    running.add_model_option(training)
    training.add_argument("--head", choices=("arcface", "cosface"))
    training.add_argument("--margin", type=float, help="of the head")
    training.add_argument("--scale", type=float, help="of the head's cosines")
    training.add_argument("--dimension", type=int, help="of the embedding")
    training.add_argument("--repeats", type=int, help="how often a picture comes in an epoch, changed each time")
    training.add_argument("--weight-decay", type=float, help="decoupled; norms, slopes and biases are left out")
    patience = "epochs in which validation people are told apart no better, then it stops"
    running.add_training(training, learning_rate="the peak of the one-cycle schedule", patience=patience)
    photograph = parser.add_argument_group("photographs, in place of a training")
    photograph.add_argument("--photograph", type=Path, metavar="FILE", help="find, align and name the faces in it")
    photograph.add_argument("--gallery", type=Path, metavar="FILE", help="people who are known, as a run leaves them")
    photograph.add_argument("--network", type=Path, metavar="FOLDER", help="the exported network of that gallery")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Fills in what the recipe decides; checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "orl_faces"
    arguments.builder = running.options(arguments.option)
    if arguments.model in (None, RECIPE["model"]):
        arguments.builder = BUILDER | arguments.builder
    running.fill_in(arguments, RECIPE)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != TASK:
        raise ValueError(f"`--model` must be one for {TASK}. Received: {arguments.model!r}, for {facts['task']}.")
    running.check_positive(arguments, "epochs", "batch_size", "repeats", "limit", "dimension", "patience")
    if any(side < 16 or side % 16 for side in arguments.size):
        raise ValueError(f"`--size` must be multiples of 16. Received: {arguments.size}.")
    if arguments.pairs and not arguments.pairs.is_file():
        raise FileNotFoundError(f"`--pairs` must be an existing file. Received: {str(arguments.pairs)!r}.")
    return arguments


def load(arguments):
    """`(parts, pairs, duplicates)`: {"train", "validation", "test"} of `Faces`, the test `Pairs` where a file has them,
    and which pictures the parts have in common."""
    from kerazoo.data.faces import faces_in, load_faces, read_pairs

    size = arguments.size
    faces = faces_in(arguments.data, size=size) if arguments.data else load_faces(arguments.dataset, size=size)
    if arguments.limit:
        faces = faces.at_most(arguments.limit)
    pairs = read_pairs(arguments.pairs, faces) if arguments.pairs else None
    parts = divide(faces, pairs)
    said = ", ".join(f"{len(part.people)} people ({len(part)} pictures) for {name}" for name, part in parts.items())
    print(f"{faces.name}: {said}")
    for file, reason in faces.unreadable[:20]:
        print(f"  left out: {file}: {reason}")
    splits = {name: (part.files, [part.pixels]) for name, part in parts.items()}
    train = parts["train"]
    kept, duplicates = duplicate_images.check(
        splits, drop=arguments.drop_duplicates, labels=train.labels, classes=train.people
    )
    parts["train"] = train.take(kept)
    running.check_batch(arguments, len(parts["train"]), "repeats")
    return parts, pairs and _within(pairs, faces, parts["test"]), duplicates


def divide(faces, pairs=None):
    """People for training, validation and test: those of a pairs file, or the last quarter, are the test's.

    Of the rest a sixth, two at least, is the validation's: the last ones too.

    Raises:
        ValueError: too few people, or a part without two pictures of one person.
    """
    count = len(faces.people)
    if pairs is None:
        test = list(range(count - max(round(count / 4), 2), count))
    else:
        test = sorted(set(faces.labels[np.concatenate([pairs.first, pairs.second])].tolist()))
    rest = [person for person in range(count) if person not in test]
    held = max(round(len(rest) / 6), 2)
    if len(rest) - held < 2:
        raise ValueError(
            f"There must be {PEOPLE} people at least, four of them in no test pair. Received: {count}, "
            f"{len(rest)} of them in none."
        )
    parts = {"train": rest[:-held], "validation": rest[-held:], "test": test}
    parts = {name: faces.of(people) for name, people in parts.items()}
    for name, part in parts.items():
        if np.bincount(part.labels).max() < 2:
            raise ValueError(f"The {name} people must have two pictures of one of them. Received: {part.people}.")
    return parts


def _within(pairs, faces, test):
    """The pairs with positions among the test's faces."""
    from kerazoo.data.faces import Pairs

    places = {file: position for position, file in enumerate(test.files)}
    first, second = (np.array([places[faces.files[i]] for i in side]) for side in (pairs.first, pairs.second))
    return Pairs(first, second, pairs.same, pairs.fold)


def build(arguments, people, *, steps):
    """The compiled model for as many people, with a one-cycle schedule over `steps` optimizer steps."""
    import keras

    from kerazoo.training.schedules import OneCycle

    schedule = OneCycle(arguments.learning_rate, steps=max(steps, 1), warm_up=0.1)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=arguments.weight_decay, global_clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias", "alpha"])
    return kerazoo.build(
        arguments.model,
        input_shape=(*arguments.size, 3),
        num_classes=people,
        head=arguments.head,
        margin=arguments.margin,
        scale=arguments.scale,
        dimension=arguments.dimension,
        optimizer=optimizer,
        precision=arguments.precision,
        seed=arguments.seed,
        **arguments.builder,
    )


def train(arguments, parts, folder):
    """Trains, saving every epoch; returns `(journal, speed)`, as in image classification."""
    import keras

    from kerazoo.data.face_pipeline import face_batches
    from kerazoo.data.pipeline import throughput
    from kerazoo.evaluate.predict import compiled
    from kerazoo.evaluate.verification import all_pairs, cosines, decidability, equal_error_rate
    from kerazoo.training.callbacks import Journal

    keras.utils.set_random_seed(arguments.seed)
    faces, held = parts["train"], parts["validation"]
    first, second, same = all_pairs(held.labels)
    steps = max(len(faces) * arguments.repeats // arguments.batch_size, 1)
    model = build(arguments, len(faces.people), steps=steps * arguments.epochs)

    def judge(epoch, logs):
        embeddings = compiled(model)(held.pixels.astype("float32"))
        scores = cosines(embeddings[first], embeddings[second])
        logs["val_decidability"] = decidability(scores, same)
        logs["val_eer"] = equal_error_rate(scores, same)[0]
        print(f"Validation people: EER {logs['val_eer']:.1%}, decidability {logs['val_decidability']:.2f}")

    journal = Journal(
        folder,
        configuration=running.settings(arguments, SETTINGS),
        monitor="val_decidability",
        mode="max",
        patience=arguments.patience,
    )
    done = journal.restore(model)
    options = {"batch_size": arguments.batch_size, "repeats": arguments.repeats}
    # A resumed run shuffles by another seed: the order of the first epochs would otherwise come again.
    data = face_batches(faces, seed=arguments.seed + done, **options)
    speed = throughput(face_batches(faces, seed=arguments.seed, **options), seconds=1.0)
    print(f"Input pipeline: {speed:,.0f} images/s. Model: {model.name}, {model.count_params():,} parameters.")
    journal.fit(
        model,
        data,
        epochs=arguments.epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=judge)],
        verbose="auto" if sys.stdout.isatty() else 2,
        shuffle=False,
    )
    return journal, speed


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    arguments = parse_args(argv)
    return running.main(arguments, _run, () if arguments.photograph else NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import face_report

    given = running.given(arguments, parse_args([]))
    if arguments.photograph:
        return photographs.name_faces(TASK, arguments, given, start)
    settle(arguments)
    name = arguments.dataset or arguments.data.resolve().name
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    with running.resumable(running.command(TASK, given, "--resume", f"--out={folder}")):
        parts, pairs, duplicates = load(arguments)
        journal, speed = train(arguments, parts, folder)
        facts, pairs, scores, embeddings = face_judging.judge(arguments, parts, pairs, folder)
    seen = len(parts["train"]) * arguments.repeats // arguments.batch_size * arguments.batch_size
    whole = parts["train"].record()
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset={
            **{key: whole[key] for key in ("name", "source", "terms", "unreadable")},
            **{
                part: {"people": len(faces.people), "images": len(faces), "names": ", ".join(faces.people)}
                for part, faces in parts.items()
            },
            "limited": arguments.limit,
            "duplicates": duplicates,
        },
        model={"name": arguments.model, "input_size": list(arguments.size)},
        training=journal.record("images", seen=seen, fed=speed),
        **facts,
    )
    page = face_report.page(record, faces=parts["test"], pairs=pairs, scores=scores, embeddings=embeddings)
    return running.finish(arguments, record, page, face_report.summary(record), folder)


if __name__ == "__main__":
    main()
