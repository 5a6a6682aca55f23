"""Object detectors equal to their references: heads, anchors, losses and boxes; names of their weights."""

import importlib.util
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from detection_loops import suppress

import kerazoo
from kerazoo.decoding import with_boxes
from kerazoo.weights import torch as from_torch

TRUTH = {
    "boxes": np.array([[[10, 20, 60, 50], [30, 40, 60, 62]], [[5, 5, 40, 60], [0, 0, 0, 0]]], "float32"),
    "classes": np.array([[1, 3], [2, -1]], "int32"),
}


@pytest.fixture(scope="module")
def torch_references():
    pytest.importorskip("torch")
    import torch_references

    return torch_references


@pytest.fixture(scope="module")
def torchvision(torch_references):
    """torchvision's detectors; where its compiled operators are missing, suppression is the loop above."""
    if not importlib.util.find_spec("torchvision"):
        pytest.skip("needs torchvision")
    library, torch = torch_references.torchvision(), torch_references.torch
    from torchvision.models import detection
    from torchvision.ops import boxes

    def batched(found, scores, classes, threshold):
        return torch.tensor(suppress(found.numpy(), scores.numpy(), classes.numpy(), threshold), dtype=torch.int64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "batched_nms", batched)
        yield SimpleNamespace(detection=detection, ops=library.ops, torch=torch)


def loaded(name, net, **arguments):
    """The model with the net's weights."""
    model = kerazoo.build(name, **arguments)
    tensors = {key: value.numpy() for key, value in net.state_dict().items()}
    family = from_torch.family(kerazoo.catalog.entry(name))
    assert from_torch.load_tensors(model, tensors, family.names, path="random") == []
    return model


def same(received, wanted, tolerance=1e-4):
    """Equal to a share of the largest figure."""
    received = keras.ops.convert_to_numpy(received)
    assert received.shape == wanted.shape and np.ptp(wanted) > 0.1
    np.testing.assert_allclose(received, wanted, atol=tolerance * np.abs(wanted).max())


def test_yolo_answers_as_its_description_in_torch(torch_references):
    from torch_detectors import Yolo

    net = torch_references.randomized(Yolo(0.34, 0.125, 256, classes=5))
    images = torch_references.images(2, 64)
    with torch_references.torch.no_grad():
        constant = net.model[22].dfl.conv.weight  # The distances 0 to 15 that a distribution is over; never trained.
        constant.copy_(torch_references.torch.arange(16.0).reshape(constant.shape))
        wanted = net(torch_references.torch.tensor(images.transpose(0, 3, 1, 2) / 255))
    arguments = {"depth": 0.34, "width": 0.125, "widest": 256, "num_classes": 5, "input_shape": (64, 64, 3)}
    received = loaded("yolov8_n", net, **arguments)(images)
    for name in ("boxes", "classes"):
        same(received[name], wanted[name].numpy())


def test_checkpoints_of_yolo_have_these_names(torch_references):
    """Facts about the public files: 355 tensors, these among them."""
    from torch_detectors import Yolo

    tensors = {name: tuple(tensor.shape) for name, tensor in Yolo(1 / 3, 0.25, 1024, classes=80).state_dict().items()}
    assert len(tensors) == 355
    facts = {
        "model.0.conv.weight": (16, 3, 3, 3),
        "model.2.m.0.cv1.conv.weight": (16, 16, 3, 3),
        "model.9.cv2.conv.weight": (256, 512, 1, 1),
        "model.22.cv2.0.2.bias": (64,),
        "model.22.cv3.2.2.weight": (80, 80, 1, 1),
        "model.22.dfl.conv.weight": (1, 16, 1, 1),
    }
    assert facts.items() <= tensors.items()


@pytest.fixture(scope="module", params=["ssd300_vgg16", "retinanet_resnet50_fpn"])
def pair(request, torchvision, torch_references):
    """Torchvision's detector, ours with the same weights, and what the former's heads answer."""
    if request.param == "ssd300_vgg16":
        net = torchvision.detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=6)
        side, offset = 300, 1  # Its class 0 is the background.
    else:
        options = {"weights": None, "weights_backbone": None, "num_classes": 5, "min_size": 128, "max_size": 128}
        net, side, offset = torchvision.detection.retinanet_resnet50_fpn(**options), 128, 0
    net, images = torch_references.randomized(net), torch_references.images(2, side)
    model = loaded(request.param, net, num_classes=5, input_shape=(side, side, 3))
    with torchvision.torch.no_grad():
        x, _ = net.transform([torchvision.torch.tensor(image.transpose(2, 0, 1) / 255) for image in images])
        maps = list(net.backbone(x.tensors).values())
        answers, anchors = net.head(maps), net.anchor_generator(x, maps)
    found = {"answers": answers, "anchors": anchors, "maps": maps, "sizes": x.image_sizes}
    return SimpleNamespace(net=net, model=model, images=images, offset=offset, **found)


def raw_heads(answers):
    return {"boxes": answers["bbox_regression"].numpy(), "classes": answers["cls_logits"].numpy()}


def test_heads_and_anchors_are_torchvisions(pair):
    received = pair.model(pair.images)
    for name, wanted in raw_heads(pair.answers).items():
        same(received[name], wanted)
    same(pair.model.heads.geometry()["anchors"], pair.anchors[0].numpy(), 1e-6)


def test_loss_is_torchvisions(pair, torchvision):
    torch = torchvision.torch
    truth = [
        {"boxes": torch.tensor(boxes[labels >= 0]), "labels": torch.tensor(labels[labels >= 0] + pair.offset).long()}
        for boxes, labels in zip(TRUTH["boxes"], TRUTH["classes"])
    ]
    overlaps = [torchvision.ops.box_iou(one["boxes"], anchors) for one, anchors in zip(truth, pair.anchors)]
    matched = [pair.net.proposal_matcher(matrix) for matrix in overlaps]
    arguments = (matched,) if pair.offset else ()
    wanted = sum(map(float, pair.net.compute_loss(truth, pair.answers, pair.anchors, *arguments).values()))
    received = pair.model.compute_loss(y=TRUTH, y_pred=raw_heads(pair.answers))
    np.testing.assert_allclose(received, wanted, rtol=1e-4)


def test_boxes_are_torchvisions(pair, torchvision):
    """On raw heads whose scores have no ties; few of them pass the threshold."""
    torch, generator = torchvision.torch, torchvision.torch.Generator().manual_seed(0)
    raw = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in pair.answers.items()}
    if pair.offset:
        raw["cls_logits"][..., 0] += 7.5
        pair.net.score_thresh, threshold = 0.04, 0.45
        found = pair.net.postprocess_detections(raw, pair.anchors, pair.sizes)
    else:
        raw["cls_logits"] -= 4
        pair.net.score_thresh, threshold = 0.2, 0.5
        counts = [9 * x.shape[2] * x.shape[3] for x in pair.maps]
        split = {name: tensor.split(counts, dim=1) for name, tensor in raw.items()}
        anchors = [boxes.split(counts) for boxes in pair.anchors]
        found = pair.net.postprocess_detections(split, anchors, pair.sizes)
    model = with_boxes(pair.model, score_threshold=pair.net.score_thresh, iou_threshold=threshold)
    boxes, scores = pair.model.heads.decode(raw_heads(raw))
    received = model.get_layer("suppression")(boxes, scores)
    for index, wanted in enumerate(found):
        count = len(wanted["scores"])
        assert 20 < count < 100
        np.testing.assert_allclose(received["boxes"][index, :count], wanted["boxes"].numpy(), atol=0.01)
        np.testing.assert_array_equal(received["classes"][index, :count], wanted["labels"].numpy() - pair.offset)
        assert (received["classes"][index, count:].numpy() == -1).all()
