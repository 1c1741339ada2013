"""Average precision as COCO computes it, for boxes and for keypoints, through faster-coco-eval."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import Detections
from actparse.core.vocabulary import NUM_KEYPOINTS, OKS_SIGMAS

AREA_SHARE = 0.53  # share of the box that a person covers, if there is no mask; mmpose's constant
EVERY_SIZE = [[0.0, 1e10]]
SIZES: dict[str, tuple[float, float]] = {  # (min, max) area of the true box in square pixels; COCO's bounds
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}


@dataclass(frozen=True)
class AveragePrecision:
    """AP in percent: mean over thresholds .50 to .95, at .50, at .75, and at .50 by class; NaN without ground truth."""

    ap: float
    ap50: float
    ap75: float
    ap50_by_class: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name; those by class only if there are several."""
        values: dict[str, Any] = {"ap": self.ap, "ap50": self.ap50, "ap75": self.ap75}
        return values if len(self.ap50_by_class) == 1 else {**values, "ap50_by_class": self.ap50_by_class}


def average_precision(
    truth: Sequence[Detections],
    predictions: Sequence[Detections],
    names: Sequence[str],
    crowds: Sequence[Detections] | None = None,
) -> AveragePrecision:
    """Compute the AP of boxes of all sizes, with at most 100 boxes per image.

    Args:
        truth: annotated boxes by image; their scores are ignored.
        predictions: boxes by image.
        names: of the labels 0, 1, ...
        crowds: regions by image with many objects of a label; a box of that label inside one is ignored.
    """
    annotations, results = _annotations_and_results(truth, predictions)
    for image, regions in enumerate(crowds or (), start=1):
        for box, label in zip(_xywh(regions.boxes), regions.labels.tolist(), strict=True):
            annotations.append(_annotation(len(annotations) + 1, image, label, box) | {"iscrowd": 1})
    precision = _precision("bbox", len(truth), annotations, results, names)[..., 0]  # (T, R, K)
    return _summary(precision, names)


def average_precision_by_size(
    truth: Sequence[Detections], predictions: Sequence[Detections], names: Sequence[str]
) -> dict[str, AveragePrecision]:
    """Compute the AP of boxes for all sizes ("all") and for small, medium and large true boxes.

    For one size, two kinds of predicted boxes are ignored: those that match a true box of another size, and those of
    another size that match nothing. Arguments are as for `average_precision`.
    """
    annotations, results = _annotations_and_results(truth, predictions)
    ranges = EVERY_SIZE + [list(bounds) for bounds in SIZES.values()]
    precision = _precision("bbox", len(truth), annotations, results, names, ranges)  # (T, R, K, A)
    return {name: _summary(precision[..., index], names) for index, name in enumerate(("all", *SIZES))}


def _annotations_and_results(
    truth: Sequence[Detections], predictions: Sequence[Detections]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Convert boxes to COCO's annotations and results."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (true_boxes, predicted_boxes) in enumerate(zip(truth, predictions, strict=True), start=1):
        for box, label in zip(_xywh(true_boxes.boxes), true_boxes.labels.tolist(), strict=True):
            annotations.append(_annotation(len(annotations) + 1, image, label, box))
        for box, score, label in zip(
            _xywh(predicted_boxes.boxes), predicted_boxes.scores.tolist(), predicted_boxes.labels.tolist(), strict=True
        ):
            results.append({"image_id": image, "category_id": label + 1, "bbox": box, "score": score})
    return annotations, results


def keypoint_average_precision(
    truth: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    predictions: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    *,
    areas: Sequence[NDArray[np.float32]] | None = None,
    crowds: Sequence[NDArray[np.float32]] | None = None,
) -> AveragePrecision:
    """Compute the AP of poses by object keypoint similarity, with at most 20 poses per image.

    A person without any labelled keypoint is ignored.

    Args:
        truth: by image: keypoints (n, 17, 3) x, y, visibility 0..2, and person boxes (n, 4).
        predictions: by image: keypoints (n, 17, 3) x, y, confidence, and scores (n,).
        areas: by image: areas (n,) of the true persons, square pixels; None uses 0.53 of the area of their boxes.
        crowds: by image: boxes (m, 4) of regions with many persons; a pose inside one is ignored.
    """
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, ((true, boxes), (points, scores)) in enumerate(zip(truth, predictions, strict=True), start=1):
        sizes = AREA_SHARE * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) if areas is None else areas[image - 1]  # (n,)
        for keypoints, box, size in zip(true, _xywh(boxes), sizes, strict=True):
            annotation = _annotation(len(annotations) + 1, image, 0, box) | {"area": float(size)}
            flat = {"keypoints": _flat(keypoints), "num_keypoints": int((keypoints[:, 2] > 0).sum())}
            annotations.append(annotation | flat)
        for keypoints, score in zip(points, scores, strict=True):
            result = {"image_id": image, "category_id": 1, "keypoints": _flat(keypoints), "score": float(score)}
            results.append(result)
        for box in _xywh(crowds[image - 1]) if crowds is not None else ():
            unlabelled = {"keypoints": [0.0] * NUM_KEYPOINTS * 3, "num_keypoints": 0, "iscrowd": 1}
            annotations.append(_annotation(len(annotations) + 1, image, 0, box) | unlabelled)
    precision = _precision("keypoints", len(truth), annotations, results, ("person",))[..., 0]  # (T, R, 1)
    return _summary(precision, ("person",))


def _annotation(annotation_id: int, image: int, label: int, xywh: list[float]) -> dict[str, Any]:
    base = {"id": annotation_id, "image_id": image, "category_id": label + 1, "iscrowd": 0}
    return base | {"bbox": xywh, "area": xywh[2] * xywh[3]}


def _xywh(boxes: NDArray[np.float32]) -> list[list[float]]:
    """Convert boxes (N, 4) xyxy to COCO's x, y, width, height."""
    corners = boxes.astype(np.float64)  # (N, 4)
    xywh: list[list[float]] = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1).tolist()
    return xywh


def _flat(keypoints: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in keypoints.reshape(NUM_KEYPOINTS * 3)]


def _precision(
    kind: str,
    num_images: int,
    annotations: list[dict[str, Any]],
    results: list[dict[str, Any]],
    names: Sequence[str],
    area_ranges: Sequence[Sequence[float]] = EVERY_SIZE,
) -> NDArray[np.float64]:
    """Compute the precision by threshold, recall step, class and area range, (T, 101, K, A); -1 without truth."""
    from faster_coco_eval import COCO, COCOeval_faster

    if not results:  # 0 where there is ground truth
        precision = np.full((10, 101, len(names), len(area_ranges)), -1.0)
        objects = [entry for entry in annotations if not entry["iscrowd"] and entry.get("num_keypoints", 1) > 0]
        for index, (low, high) in enumerate(area_ranges):
            present = {entry["category_id"] - 1 for entry in objects if low <= entry["area"] <= high}
            precision[:, :, sorted(present), index] = 0.0
        return precision
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(1, num_images + 1)],
        "annotations": annotations,
        "categories": [{"id": label, "name": name} for label, name in enumerate(names, start=1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval_faster(truth, truth.loadRes(results), kind, print_function=lambda *_: None)
        evaluation.params.areaRng = [list(bounds) for bounds in area_ranges]
        evaluation.params.areaRngLbl = [str(index) for index in range(len(area_ranges))]
        evaluation.params.maxDets = [20 if kind == "keypoints" else 100]
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = np.array(OKS_SIGMAS)
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])[..., 0]


def _summary(precision: NDArray[np.float64], names: Sequence[str]) -> AveragePrecision:
    def mean(values: NDArray[np.float64]) -> float:
        valid = values[values > -1]
        return float(100 * valid.mean()) if valid.size else float("nan")

    by_class = {name: mean(precision[0, :, index]) for index, name in enumerate(names)}
    return AveragePrecision(mean(precision), mean(precision[0]), mean(precision[5]), by_class)
