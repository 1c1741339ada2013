"""Evaluation of a parser's persons and keypoints on images annotated in COCO's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from actparse.core.errors import DataError
from actparse.core.files import without_nan
from actparse.core.structures import Detections, PersonParse, keypoints_of
from actparse.core.text_tables import format_table
from actparse.data.annotation.coco_people import LabelledImage, load_coco_people
from actparse.metrics.coco import average_precision, keypoint_average_precision
from actparse.metrics.people import PeopleCounts, TruePeople, count_people
from actparse.parser import Parser

Progress = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True)
class PoseEvaluation:
    """The metrics on the images of a COCO file: percent, except for boxes per image; NaN if there is no truth."""

    num_images: int
    num_persons: int  # annotated, without crowds
    num_crowds: int
    num_keypoints: int  # labelled keypoints of persons whose torso can be measured
    person_ap: float
    person_ap50: float
    persons_found: float  # share of persons with a detected box at IoU 0.5
    boxes_per_image: float
    false_boxes_per_image: float  # boxes without a person, outside crowds
    keypoint_ap: float  # by object keypoint similarity
    keypoint_ap50: float
    pck: float  # share of all labelled keypoints within 0.2 of the torso; those of undetected persons count as wrong

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON; a metric that could not be measured is null."""
        return {name: without_nan(value) for name, value in vars(self).items()}

    def to_text(self) -> str:
        """Format a table for a terminal."""
        rows = {
            "persons AP": self.person_ap,
            "persons AP50": self.person_ap50,
            "persons found at IoU 0.5, %": self.persons_found,
            "boxes an image": self.boxes_per_image,
            "false boxes an image": self.false_boxes_per_image,
            "keypoints OKS AP": self.keypoint_ap,
            "keypoints OKS AP50": self.keypoint_ap50,
            "keypoints PCK@0.2 of the torso, %": self.pck,
        }
        counts = f"{self.num_images} images, {self.num_persons} persons, {self.num_crowds} crowds"
        head = f"{counts}, {self.num_keypoints} keypoints"
        return f"{head}\n\n{format_table([(name, f'{value:.2f}') for name, value in rows.items()])}"


def evaluate_poses(
    parser: Parser, images: Path, annotations: Path, *, limit: int | None = None, progress: Progress | None = None
) -> PoseEvaluation:
    """Parse the images of a COCO keypoints file and evaluate the detected persons and keypoints.

    Args:
        parser: the parser to evaluate, with every person that it returns.
        images: the folder that the file's `file_name`s are relative to.
        annotations: the COCO file.
        limit: only the first images, at most this many.
        progress: called with the number of finished images and that of all images.

    Raises:
        DataError: the file does not follow COCO, an image is missing, or its size differs from that in the file.
        ConfigError: `limit` is less than 1.
        VideoError: an image cannot be read.
    """
    labelled = load_coco_people(annotations, limit=limit)
    if not images.is_dir():
        raise DataError(f"{images}: needs a folder with the images of {annotations}, got no folder")
    missing = [image.file for image in labelled if not (images / image.file).is_file()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"{images / missing[0]}: needs an image, which {annotations} names, got no file{more}")
    parsed = []
    for num_done, image in enumerate(labelled, start=1):
        path = images / image.file
        parse = parser.parse(path)
        if image.size is not None and image.size != (parse.video.height, parse.video.width):
            needs, got = f"{image.size[1]} x {image.size[0]}", f"{parse.video.width} x {parse.video.height}"
            raise DataError(f"{path}: needs {needs} pixels, as {annotations} says, got {got}")
        parsed.append(parse.frames[0].persons)
        if progress:
            progress(num_done, len(labelled))
    return measure_poses(labelled, parsed)


def measure_poses(labelled: Sequence[LabelledImage], parsed: Sequence[Sequence[PersonParse]]) -> PoseEvaluation:
    """Compare the detected persons of each image with the annotated ones.

    Args:
        labelled: the images.
        parsed: the detected persons of each image, in the same order.
    """
    truths = [TruePeople(image.boxes, image.keypoints, crowds=image.crowds) for image in labelled]
    counts = sum(map(count_people, truths, parsed), PeopleCounts())
    detections = [Detections.of_persons(persons) for persons in parsed]
    boxes = average_precision(
        [Detections.of_truth(image.boxes) for image in labelled],
        detections,
        ("person",),
        [Detections.of_truth(image.crowds) for image in labelled],
    )
    poses = keypoint_average_precision(
        [(image.keypoints, image.boxes) for image in labelled],
        [(keypoints_of(persons), detected.scores) for persons, detected in zip(parsed, detections, strict=True)],
        areas=[image.areas for image in labelled],
        crowds=[image.crowds for image in labelled],
    )
    return PoseEvaluation(
        num_images=counts.images,
        num_persons=counts.persons,
        num_crowds=sum(len(image.crowds) for image in labelled),
        num_keypoints=counts.keypoints,
        person_ap=boxes.ap,
        person_ap50=boxes.ap50,
        persons_found=counts.persons_found(),
        boxes_per_image=counts.boxes_per_image(),
        false_boxes_per_image=counts.false_boxes_per_image(),
        keypoint_ap=poses.ap,
        keypoint_ap50=poses.ap50,
        pck=counts.pck(),
    )
