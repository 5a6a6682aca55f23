"""What an exported detector finds in a user's images or video: drawn into copies, and as JSON."""

import time
from pathlib import Path

from kerazoo.applications import predicting, running
from kerazoo.quiet import import_tensorflow

TASK = "object_detection"
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


def add_options(parser):
    """--predict and what goes with it."""
    group = parser.add_argument_group("prediction, in place of training")
    group.add_argument("--predict", type=Path, metavar="PATH", help="a folder of images, an image or a video")
    predicting.add_from(group, "detector")
    group.add_argument("--score", type=float, help="from which boxes are kept; default is what validation chose")


def refuse(arguments):
    """Refuses options of prediction without --predict.

    Raises:
        ValueError: there are some.
    """
    predicting.refuse(arguments, ["export_from", "score"], "--predict PATH")


def run(arguments, start):
    """Writes annotated copies and `detections.json` into a new folder.

    Images that cannot be read are named, and the command's status tells; other files, such as texts, are only named.

    Returns:
        The record that `run.json` there holds: the command, what was read and where it was written; under "left_out"
        the images that were not read.

    Raises:
        FileNotFoundError: nothing at --predict or --from.
        FileExistsError: the folder has something in it.
        ValueError: no --from, no readable image, or an export that is no detector.
        ImportError: a video without PyAV.
    """
    predicting.need_export(arguments, "detector")
    if not arguments.predict.exists():
        raise FileNotFoundError(f"`--predict` must be a folder, an image or a video. Received: {arguments.predict}.")
    import_tensorflow()
    import kerazoo
    from kerazoo.data.walk import is_unread_image, reasons
    from kerazoo.evaluate.runs import environment, write_record

    detector = kerazoo.load(arguments.export_from)
    size = _check(detector, arguments.export_from)
    score = arguments.score
    if score is None:
        score = float(detector.metadata.get("score_threshold", 0.25))
    if not 0 <= score <= 1:
        raise ValueError(f"`--score` must be in [0, 1]. Received: {score}.")
    video = arguments.predict.suffix.lower() in VIDEOS
    files, left_out = ({}, []) if video else _images(arguments.predict)
    folder = running.new_folder(TASK, f"predict-{arguments.predict.resolve().stem}", arguments)
    if video:
        from kerazoo.applications.detection_video import annotate

        rows, failed = annotate(arguments.predict, folder, lambda pixels: _found(detector, pixels, size, score)), []
    else:
        rows, unreadable = _annotate(files, folder, detector, size, score)
        failed = unreadable + left_out
        if not rows:
            raise ValueError(
                f"`--predict` must have a readable image. Received: {str(arguments.predict)!r}.{reasons(failed)}"
            )
    images = [f"{name}: {reason}" for name, reason in failed if name in files or is_unread_image(name)]
    labels = detector.labels or []
    found = {"source": str(arguments.predict), "classes": labels, "score": score, "images": rows}
    write_record(found, folder / "detections.json")
    record = {
        "task": TASK,
        "command": running.command(TASK, {"predict": arguments.predict, "from": arguments.export_from}),
        "detector": {"folder": str(detector.path), "engine": detector.engine, "score": score},
        "images": len(rows),
        "detections": sum(len(row["boxes"]) for row in rows),
        "unreadable": failed,
        "folder": str(folder),
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    }
    if images:
        record["left_out"] = images
    write_record(record, folder / "run.json")
    print(f"{record['detections']:,} boxes in {len(rows):,} images. Copies and detections.json: {folder}")
    for name, reason in failed:
        print(f"  left out: {name}: {reason}")
    return record


def _check(detector, path):
    """(height, width) of the detector's input.

    Raises:
        ValueError: the export answers something else.
    """
    outputs = set(detector.signature.outputs)
    if outputs != {"boxes", "scores", "classes"}:
        raise ValueError(f"`--from` must be an exported detector. Received: {path}, which answers {sorted(outputs)}.")
    return next(iter(detector.signature.inputs.values())).shape[1:3]


def _images(path):
    """`({name: path} of the images, [[name, reason]] of what is left out)` of a folder, or of one image."""
    from kerazoo.data.decode import SUFFIXES
    from kerazoo.data.walk import hidden_row, reasons, unwanted, walk

    if path.is_file():
        wanted = path.suffix.lower() in SUFFIXES
        files, left_out = ({path.name: path}, []) if wanted else ({}, [(path.name, unwanted(path.name, SUFFIXES))])
    else:
        found = walk(path, SUFFIXES)
        files, left_out = found.files, [*map(list, found.left_out + hidden_row(found.hidden))]
    if not files:
        kinds = ", ".join((*SUFFIXES, *VIDEOS))
        raise ValueError(
            f"`--predict` must have images or be a video ({kinds}). Received: {str(path)!r}.{reasons(left_out)}"
        )
    return files, left_out


def _found(detector, pixels, size, score):
    """`(boxes as JSON types, the annotated image)`."""
    from kerazoo.evaluate.detection_answers import answer
    from kerazoo.evaluate.detection_charts import drawn_answer

    found = answer(detector, pixels, size)
    labels = detector.labels or [str(number) for number in range(int(max([0, *found["classes"]])) + 1)]
    rows = [
        {"class": labels[int(c)], "score": round(float(s), 4), "box": [round(float(x), 2) for x in box]}
        for box, s, c in zip(found["boxes"], found["scores"], found["classes"])
        if s >= score
    ]
    return rows, drawn_answer(pixels, found, labels, scores=score)


def _annotate(files, folder, detector, size, score):
    """`([row of each image], [[file, reason] of unreadable ones])`; copies keep the names of the files."""
    from PIL import Image

    from kerazoo.data.decode import decode

    rows, failed = [], []
    for name, file in files.items():
        try:
            pixels = decode(file)
        except (ValueError, OSError) as error:
            failed.append([name, str(error)])
            continue
        boxes, drawn = _found(detector, pixels, size, score)
        copy = folder / "images" / name
        if copy.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            copy = copy.with_name(f"{copy.name}.png")
        while copy.exists():  # a.bmp beside an a.bmp.png.
            copy = copy.with_name(f"{copy.stem}-copy{copy.suffix}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(copy, quality=92)
        height, width = pixels.shape[:2]
        row = {"file": name, "width": width, "height": height, "copy": copy.relative_to(folder).as_posix()}
        rows.append(row | {"boxes": boxes})
    return rows, failed
