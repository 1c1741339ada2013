"""Average precision as COCO computes it, for boxes and for keypoints, through faster-coco-eval."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.structures import Detections
from actparse.vocabulary import NUM_KEYPOINTS, OKS_SIGMAS

AREA_SHARE = 0.53  # of its box that a person covers, where there is no mask; mmpose's constant
EVERY_SIZE = [[0.0, 1e10]]


@dataclass(frozen=True)
class AveragePrecision:
    """Percent: mean over thresholds .50 to .95, at .50, at .75, and at .50 by class; NaN where there is no truth."""

    ap: float
    ap50: float
    ap75: float
    ap50_by_class: dict[str, float]


def average_precision(
    truth: Sequence[Detections], found: Sequence[Detections], names: Sequence[str]
) -> AveragePrecision:
    """AP of boxes over all sizes, at most 100 an image.

    Args:
        truth: annotated boxes by image; their scores do not count.
        found: boxes by image.
        names: of the labels 0, 1, ...
    """
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (true, boxes) in enumerate(zip(truth, found, strict=True), start=1):
        for box, label in zip(true.boxes, true.labels, strict=True):
            annotations.append(_annotation(len(annotations) + 1, image, int(label), _xywh(box)))
        for box, score, label in zip(boxes.boxes, boxes.scores, boxes.labels, strict=True):
            result = {"image_id": image, "category_id": int(label) + 1, "bbox": _xywh(box), "score": float(score)}
            results.append(result)
    precision = _precision("bbox", len(truth), annotations, results, names)  # (T, R, K)
    return _summary(precision, names)


def keypoint_average_precision(
    truth: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> AveragePrecision:
    """AP of poses by object keypoint similarity, at most 20 an image.

    Args:
        truth: by image keypoints (n, 17, 3) x, y, visibility 0..2, and person boxes (n, 4).
        found: by image keypoints (n, 17, 3) x, y, confidence, and scores (n,).
    """
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, ((true, boxes), (points, scores)) in enumerate(zip(truth, found, strict=True), start=1):
        for keypoints, box in zip(true, boxes, strict=True):
            annotation = _annotation(len(annotations) + 1, image, 0, _xywh(box))
            annotation["area"] *= AREA_SHARE
            flat = {"keypoints": _flat(keypoints), "num_keypoints": int((keypoints[:, 2] > 0).sum())}
            annotations.append(annotation | flat)
        for keypoints, score in zip(points, scores, strict=True):
            result = {"image_id": image, "category_id": 1, "keypoints": _flat(keypoints), "score": float(score)}
            results.append(result)
    return _summary(_precision("keypoints", len(truth), annotations, results, ("person",)), ("person",))


def _annotation(number: int, image: int, label: int, xywh: list[float]) -> dict[str, Any]:
    base = {"id": number, "image_id": image, "category_id": label + 1, "iscrowd": 0}
    return base | {"bbox": xywh, "area": xywh[2] * xywh[3]}


def _xywh(box: NDArray[np.float32]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def _flat(keypoints: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in keypoints.reshape(NUM_KEYPOINTS * 3)]


def _precision(
    kind: str,
    num_images: int,
    annotations: list[dict[str, Any]],
    results: list[dict[str, Any]],
    names: Sequence[str],
) -> NDArray[np.float64]:
    """Precision at each threshold, recall step and class, (T, 101, K); -1 where a class has no truth."""
    from faster_coco_eval import COCO, COCOeval_faster

    if not results:
        present = {annotation["category_id"] - 1 for annotation in annotations}
        empty = np.full((10, 101, len(names)), -1.0)
        empty[..., sorted(present)] = 0.0
        return empty
    truth = COCO()
    truth.dataset = {
        "images": [{"id": number} for number in range(1, num_images + 1)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval_faster(truth, truth.loadRes(results), kind, print_function=lambda *_: None)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = EVERY_SIZE, ["all"]
        evaluation.params.maxDets = [20 if kind == "keypoints" else 100]
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = np.array(OKS_SIGMAS)
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])[..., 0, 0]


def _summary(precision: NDArray[np.float64], names: Sequence[str]) -> AveragePrecision:
    def mean(values: NDArray[np.float64]) -> float:
        seen = values[values > -1]
        return float(100 * seen.mean()) if seen.size else float("nan")

    by_class = {name: mean(precision[0, :, number]) for number, name in enumerate(names)}
    return AveragePrecision(mean(precision), mean(precision[0]), mean(precision[5]), by_class)
