"""How well the boxes of body parts fit, from each source and from their fusion, on photos with a hand-made truth.

python benchmarks/part_boxes.py FOLDER --weights BUNDLE --regression FILE   # keypoints found by the bundle
python benchmarks/part_boxes.py FOLDER --keypoints found.json               # or by another program
python benchmarks/part_boxes.py FOLDER --true-keypoints

FOLDER holds photos and truth.json: [{"image", "persons": [{"box", "parts": {name: box or null}, "keypoints"}]}], boxes
xyxy in pixels, keypoints 17 x [x, y, visibility]. found.json: {image: {"boxes": n x 4, "keypoints": n x 17 x 3}}.
Printed are the shares of true parts with a predicted box at IoU 0.3 and 0.5; the parts of a person without a box at IoU
0.5 are missed in "all" and do not count in "found".
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.vocabulary import GROUP_PARTS, PARTS
from actparse.metrics.boxes import row_iou
from actparse.metrics.tps import match_persons
from actparse.stages.loading import bundle_folder, load_bundle, load_part_fusion, load_parts
from actparse.stages.people.part_fusion import PartFusion, PartFusionConfig, PartSource, fuse, regressed
from actparse.stages.people.part_geometry import rule_boxes
from actparse.stages.people.refine import grow_boxes

Floats = NDArray[np.float32]
MIN_PERSON_IOU = 0.5  # of a person's box with the true one, to be found
MIN_PART_IOUS = (0.3, 0.5)
MIN_KEYPOINT_CONFIDENCE = 0.25  # of a keypoint that grows a person's box; the parser's
CONFIDENCES = (0.0, 0.5, 0.9)  # of true keypoints, by visibility


@dataclass(frozen=True)
class Person:
    """A true person and the one that was found in their place."""

    image: NDArray[np.uint8]
    parts: Floats  # (10, 4) true boxes; not a number where a part is not annotated
    box: Floats | None  # (4,) None where nobody was found
    keypoints: Floats | None  # (17, 3)


def main() -> None:
    """Measure every source and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--weights", default="tiny", help="bundle with the detector, and with persons and poses")
    arguments.add_argument("--regression", type=Path, help="file of the recipe part-regression")
    arguments.add_argument("--keypoints", type=Path, help="boxes and keypoints of another program")
    arguments.add_argument("--true-keypoints", action="store_true")
    args = arguments.parse_args()
    truth = json.loads((args.folder / "truth.json").read_text(encoding="utf-8"))
    images = {entry["image"]: read_image(args.folder / entry["image"]) for entry in truth}
    if args.true_keypoints:
        found = true_people(truth)
    elif args.keypoints:
        raw = json.loads(args.keypoints.read_text(encoding="utf-8"))
        found = {name: people_of(entry["boxes"], entry["keypoints"]) for name, entry in raw.items()}
    else:
        found = detected_people(images, args.weights)
    persons = [person for entry in truth for person in match(entry, images[entry["image"]], found)]
    report(persons, predict(persons, args.weights, args.regression))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image (H, W, 3) RGB."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path}: needs an image, got a file that cannot be read")
    return np.asarray(image[..., ::-1], np.uint8).copy()


def people_of(boxes: Any, keypoints: Any) -> tuple[Floats, Floats]:
    """Boxes (n, 4) and keypoints (n, 17, 3)."""
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(keypoints, np.float32).reshape(-1, 17, 3)


def true_people(truth: list[dict[str, Any]]) -> dict[str, tuple[Floats, Floats]]:
    """Return the annotated persons, their visibilities as confidences."""
    people = {}
    for entry in truth:
        persons = entry["persons"]
        boxes, keypoints = people_of([p["box"] for p in persons], [p["keypoints"] for p in persons])
        keypoints[..., 2] = np.array(CONFIDENCES)[keypoints[..., 2].astype(int)]
        people[entry["image"]] = (boxes, keypoints)
    return people


def detected_people(images: Mapping[str, NDArray[np.uint8]], weights: str) -> dict[str, tuple[Floats, Floats]]:
    """Detect persons and keypoints with a bundle's first two stages, as `parse` does."""
    bundle = load_bundle(weights)
    people = {}
    for name, image in images.items():
        persons = bundle.persons.detect([image])[0]
        persons, keypoints = bundle.poses.select(persons, bundle.poses.estimate([image], [persons.boxes])[0])
        people[name] = (persons.boxes, keypoints)
    return people


def match(entry: dict[str, Any], image: NDArray[np.uint8], found: Mapping[str, tuple[Floats, Floats]]) -> list[Person]:
    """Match the true persons of an image with detections; each detection matches one person."""
    if entry["image"] not in found:
        raise SystemExit(f"{entry['image']}: needs boxes and keypoints in the file of --keypoints, got none")
    boxes, keypoints = found[entry["image"]]
    true_boxes = [tuple(person["box"]) for person in entry["persons"]]
    pairs = match_persons(true_boxes, [tuple(box) for box in boxes.tolist()], MIN_PERSON_IOU)
    persons = []
    for index, person in enumerate(entry["persons"]):
        parts = np.array([person["parts"].get(part) or [np.nan] * 4 for part in PARTS], np.float32)
        match = pairs.get(index)
        is_detected = match is not None
        persons.append(
            Person(image, parts, boxes[match] if is_detected else None, keypoints[match] if is_detected else None)
        )
    return persons


def predict(persons: list[Person], weights: str, regression: Path | None) -> dict[str, list[Floats | None]]:
    """Part boxes (10, 4) of each found person, by source."""
    detector = load_parts(bundle_folder(weights) / "parts.safetensors")
    network = None if regression is None else load_part_fusion(regression, None)
    config = PartFusionConfig() if network is None else network.config
    predicted: dict[str, list[Floats | None]] = {}
    for person in persons:
        boxes = _of_person(person, detector, network, config)
        for name in ("rule", "regression", "detector", "rule + regression", "rule + detector", "all three"):
            predicted.setdefault(name, []).append(boxes.get(name))
    return {name: rows for name, rows in predicted.items() if any(row is not None for row in rows)}


def _of_person(
    person: Person, detector: Any, network: PartFusion | None, config: PartFusionConfig
) -> dict[str, Floats]:
    if person.box is None or person.keypoints is None:
        return {}
    size = (person.image.shape[0], person.image.shape[1])
    keypoints = person.keypoints[None]
    grown = grow_boxes(person.box[None], keypoints, min_confidence=MIN_KEYPOINT_CONFIDENCE, size=size)
    rule = PartSource(*rule_boxes(keypoints))
    detected = PartSource(*detector.detect([person.image], [grown], [keypoints])[0])
    sources = {
        "rule": (rule, None, None),
        "detector": (detected, None, None),
        "rule + detector": (rule, None, detected),
    }
    if network is not None and network.regression is not None:
        found = regressed(network.regression, keypoints)
        sources["regression"] = (found, None, None)
        sources["rule + regression"] = (rule, found, None)
        sources["all three"] = (rule, found, detected)
    return {name: fuse(*three, config, size=size)[0][0] for name, three in sources.items()}


def report(persons: list[Person], predicted: dict[str, list[Floats | None]]) -> None:
    """Print a line for each source."""
    truth = np.stack([person.parts for person in persons])  # (P, 10, 4)
    exists = ~np.isnan(truth[..., 0])  # (P, 10)
    found = np.array([person.box is not None for person in persons])  # (P,)
    print(f"{found.sum()} of {len(persons)} persons found, {exists.sum()} parts; % at IoU 0.3 / 0.5")
    print(f"{'':18}{'all':>14}{'found':>14}" + "".join(f"{group:>14}" for group in GROUP_PARTS))
    for name, rows in predicted.items():
        boxes = np.stack([np.zeros((len(PARTS), 4), np.float32) if row is None else row for row in rows])
        ious = row_iou(boxes, np.nan_to_num(truth))  # (P, 10)
        cells = [ious[exists], ious[found][exists[found]]]
        for parts in GROUP_PARTS.values():
            columns = [PARTS.index(part) for part in parts]
            cells.append(ious[:, columns][exists[:, columns]])
        print(f"{name:18}" + "".join(f"{_shares(values):>14}" for values in cells))


def _shares(ious: Floats) -> str:
    return " / ".join(f"{100 * float((ious >= least).mean()):.1f}" if len(ious) else "-" for least in MIN_PART_IOUS)


if __name__ == "__main__":
    main()
