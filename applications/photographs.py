"""A photograph in place of a training: find the faces in it, align them, name those that a gallery knows."""

import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import running

SIZE = (112, 112)  # Of the aligned faces, where no network says.


def check(arguments):
    """Refuses what cannot be, before anything is loaded.

    Raises:
        FileNotFoundError: no photograph, gallery or network there.
        ValueError: a gallery without its network, or the other way round.
    """
    for name in ("photograph", "gallery", "network"):
        path = getattr(arguments, name)
        if path and not path.exists():
            raise FileNotFoundError(f"`--{name}` must exist. Received: {str(path)!r}.")
    if bool(arguments.gallery) != bool(arguments.network):
        raise ValueError(
            "`--gallery` and `--network` go together: embeddings of one network mean nothing to another. "
            f"Received: {arguments.gallery!s} and {arguments.network!s}."
        )


def name_faces(task, arguments, given, start):
    """Finds, aligns and names the faces; returns the record.

    Raises:
        FileNotFoundError: MTCNN's weights are not on this machine.
        ValueError: as `check`, or a file that is no readable image.
    """
    from kerazoo.data.decode import decode, naming
    from kerazoo.evaluate.runs import environment
    from kerazoo.faces.alignment import align
    from kerazoo.faces.detector import FaceDetector
    from kerazoo.faces.gallery import Gallery

    check(arguments)
    with naming(arguments.photograph):
        image = decode(arguments.photograph)
    detector = FaceDetector()
    folder = running.new_folder(task, arguments.photograph.stem, arguments)
    began = time.perf_counter()
    faces = detector.detect(image)
    seconds = time.perf_counter() - began
    network = kerazoo.load(arguments.network) if arguments.network else None
    size = tuple(next(iter(network.signature.inputs.values())).shape[1:3]) if network else SIZE
    aligned = [align(image, face.landmarks, size=size) for face in faces]
    matches = [None] * len(faces)
    if network and faces:
        matches = Gallery.load(arguments.gallery).identify(np.asarray(network(np.stack(aligned).astype("float32"))))
    rows = [
        {
            "box": [round(float(value), 2) for value in face.box],
            "score": face.score,
            "landmarks": face.landmarks.round(2).tolist(),
            "person": match and match.person,
            "nearest": match and match.nearest,
            "cosine": match and match.score,
        }
        for face, match in zip(faces, matches)
    ]
    record = {
        "task": task,
        "command": running.command(task, given),
        "photograph": {"file": str(arguments.photograph), "height": image.shape[0], "width": image.shape[1]},
        "faces": rows,
        "seconds": seconds,
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    }
    marked = _marked(image, rows)
    marked.save(folder / "faces.png")
    return running.finish(arguments, record, _page(record, np.asarray(marked), aligned), _summary(record), folder)


def _marked(image, rows):
    """The photograph with boxes, landmarks and names, as a PIL image."""
    from PIL import Image, ImageDraw

    marked = Image.fromarray(image)
    draw = ImageDraw.Draw(marked)
    line = max(round(max(marked.size) / 400), 1)
    for row in rows:
        draw.rectangle(row["box"], outline=(37, 99, 235), width=line)
        for x, y in row["landmarks"]:
            draw.ellipse((x - line, y - line, x + line, y + line), fill=(234, 138, 12))
        if row["person"]:
            draw.text((row["box"][0], row["box"][3] + line), row["person"], fill=(37, 99, 235))
    return marked


def _count(faces):
    return "1 face" if len(faces) == 1 else f"{len(faces)} faces"


def _named(row):
    if row["nearest"] is None:
        return "a face"
    return row["person"] or "nobody known"


def _summary(record):
    lines = [f"{_count(record['faces'])} in {record['photograph']['file']}, {record['seconds']:.1f} s:"]
    for row in record["faces"]:
        left, top, right, bottom = row["box"]
        said = "" if row["nearest"] is None else f", nearest {row['nearest']} at {row['cosine']:.2f}"
        where = f"({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f})"
        lines.append(f"  {_named(row)} at {where}, {row['score']:.3f}{said}")
    return "\n".join(lines)


def _page(record, marked, aligned):
    from kerazoo.evaluate import charts
    from kerazoo.evaluate.report import Report

    report = Report(f"Faces in {Path(record['photograph']['file']).name}", f"{_count(aligned)} found by MTCNN.")
    with report.section("The photograph"):
        report.figures((charts.picture(marked, side=960), "the photograph with boxes"))
    if aligned:
        with report.section("Aligned", "As the network takes them: eyes, nose and mouth at fixed places."):
            report.sheet(
                [
                    (charts.picture(face), _named(row), f"MTCNN: {row['score']:.1%}", True)
                    for face, row in zip(aligned, record["faces"])
                ]
            )
    return report
