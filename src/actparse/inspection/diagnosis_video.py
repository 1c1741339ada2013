"""One video of a diagnosis: its truth, the results of each stage, and predictions with one stage replaced by truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.structures import Detections, FrameParse, PersonParse, VideoParse, keypoints_of
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX, PARTS
from actparse.data.kinetics_tps import FrameTruth, VideoRecord, frame_name, read_truths
from actparse.data.submission import EVALUATED_STRIDE, true_humans
from actparse.metrics.identity import TrackedFrame
from actparse.metrics.states import shared_states
from actparse.metrics.tps import match_persons
from actparse.parser import Parser
from actparse.stages.people.parts import PartDetector
from actparse.video.decode import read_frames

Boxes = NDArray[np.float32]
Found = tuple[Boxes, NDArray[np.float32]]  # part boxes (n, 10, 4) and scores (n, 10)
HUMAN_IOU = 0.5  # a predicted and a true person match from this overlap


class Variant(Enum):
    """The combinations of predicted and true results."""

    PREDICTED = "everything predicted"
    SEGMENT_STATES = "PCF alone: clips, states shared by all"
    NO_DOTS = "part detector without dots"
    TRUE_PERSONS = "true persons"
    TRUE_DOTS = "true persons and keypoints"
    TRUE_PARTS = "true part boxes"
    PRIOR = "commonest states of the action"
    SHARED_STATES = "true shared states of segments"
    TRUE_STATES = "true states"
    TRUE_ACTION = "true action"


@dataclass(frozen=True)
class VideoFindings:
    """The truth and the results in the evaluated frames of one video; lists have one entry for each frame, in order."""

    record: VideoRecord
    parse: VideoParse
    pcf_parse: VideoParse | None  # without tracks: the action from clips, states shared by all persons of a segment
    sampled: list[FrameParse]
    truth: list[FrameTruth]
    segment_of: list[int]
    true_persons: list[Detections]
    persons: list[Detections]
    true_poses: list[tuple[Boxes, Boxes]]  # keypoints (n, 17, 3) and boxes (n, 4)
    poses: list[tuple[Boxes, Boxes]]  # keypoints (n, 17, 3) and scores (n,)
    poses_on_truth: list[Boxes]  # keypoints (n, 17, 3) estimated in true boxes
    true_parts: list[Detections]
    parts: dict[str, list[Detections]]  # "dots", "no dots", "true dots": detected in true boxes
    found_parts: dict[str, list[Found]]  # the same for each person; "predicted no dots": detected in predicted boxes
    tracked: list[TrackedFrame]

    def state_rows(self) -> list[tuple[int, str, str]]:
        """Return (segment, part, true state) of every annotated part."""
        return [
            (segment, name, part.state)
            for segment, frame in zip(self.segment_of, self.truth, strict=True)
            for person in frame.persons
            for name, part in person.parts.items()
        ]

    def predicted_states(self, variant: Variant) -> Iterator[tuple[str, str, str | None]]:
        """Yield (part, true state, predicted state) of every annotated part.

        A person that was not detected has the states of the segment.
        """
        for row, frame in enumerate(self.truth):
            states_by_person = self._states_of_truth(row, variant)
            for person, states in zip(frame.persons, states_by_person, strict=True):
                yield from ((name, part.state, states.get(name)) for name, part in person.parts.items())

    def _states_of_truth(self, row: int, variant: Variant) -> list[Mapping[str, str]]:
        """Return the predicted states of each true person of a frame."""
        truth, predicted = self.truth[row].persons, self.sampled[row].persons
        states = [self._shared_states(row)] * len(truth)
        if variant is not Variant.SEGMENT_STATES:
            pairs = match_persons([p.box for p in truth], [list(p.box) for p in predicted], HUMAN_IOU)
            for true_index, predicted_index in pairs.items():
                states[true_index] = states_of(predicted[predicted_index])
        return states

    def _shared_states(self, row: int) -> Mapping[str, str]:
        parse = self.pcf_parse or self.parse
        return parse.segments[self.segment_of[row]].states

    def action(self, variant: Variant) -> str:
        """Return the action that a variant predicts."""
        if variant is Variant.TRUE_ACTION:
            return self.record.action
        parse = self.pcf_parse if variant is Variant.SEGMENT_STATES else None
        return (parse or self.parse).action

    def true_frames(self) -> dict[str, Any]:
        """Return the truth in the evaluator's form."""
        return {
            frame_name(sampled.index): true_humans(true) for sampled, true in zip(self.sampled, self.truth, strict=True)
        }

    def frames(self, variant: Variant, prior: Mapping[str, str]) -> dict[str, Any]:
        """Return the predictions of a variant in the evaluator's form; `prior` is part -> state."""
        shared = shared_states(self.state_rows()) if variant is Variant.SHARED_STATES else {}
        result = {}
        for row, sampled in enumerate(self.sampled):
            states_of_all: dict[Variant, Mapping[str, str]] = {  # the same for all persons of the frame
                Variant.PRIOR: prior,
                Variant.SHARED_STATES: shared.get(self.segment_of[row], {}),
                Variant.SEGMENT_STATES: self._shared_states(row),
            }
            persons = self._persons(row, variant)
            humans = [_human(box, parts, states_of_all.get(variant, states)) for box, parts, states in persons]
            self._replace_by_truth(row, humans, variant)
            result[frame_name(sampled.index)] = {"humans": humans}
        return result

    def _persons(self, row: int, variant: Variant) -> list[tuple[Any, Boxes, Mapping[str, str]]]:
        """Return box, part boxes (10, 4) and states of each person that a variant has in a frame."""
        if variant in (Variant.TRUE_PERSONS, Variant.TRUE_DOTS):
            source = "dots" if variant is Variant.TRUE_PERSONS else "true dots"
            boxes = [person.box for person in self.truth[row].persons]
            return list(zip(boxes, self.found_parts[source][row][0], self._states_of_truth(row, variant), strict=True))
        persons = self.sampled[row].persons
        if variant is Variant.NO_DOTS:
            parts = self.found_parts["predicted no dots"][row][0]
        else:
            parts = np.array([[q.box for q in p.parts] for p in persons], np.float32).reshape(-1, len(PARTS), 4)
        return [(person.box, part_boxes, states_of(person)) for person, part_boxes in zip(persons, parts, strict=True)]

    def _replace_by_truth(self, row: int, humans: list[dict[str, Any]], variant: Variant) -> None:
        """Write true part boxes or true states into the predicted persons that match a true one."""
        if variant not in (Variant.TRUE_PARTS, Variant.TRUE_STATES):
            return
        persons = self.truth[row].persons
        pairs = match_persons([p.box for p in persons], [human["box"] for human in humans], HUMAN_IOU)
        for true_index, predicted_index in pairs.items():
            for name, part in persons[true_index].parts.items():
                if variant is Variant.TRUE_PARTS:
                    humans[predicted_index]["parts"][name]["box"] = [list(part.box)]
                else:
                    humans[predicted_index]["parts"][name]["verb"] = [part.state]


def states_of(person: PersonParse) -> dict[str, str]:
    """Return part -> state of a parsed person."""
    return {part.name: part.state for part in person.parts if part.state is not None}


def _human(box: Any, part_boxes: Boxes, states: Mapping[str, str]) -> dict[str, Any]:
    boxes = [[float(value) for value in part_box] for part_box in part_boxes]
    parts = {name: {"box": [boxes[k]], "verb": [states.get(name, "none")]} for k, name in enumerate(PARTS)}
    return {"box": [float(value) for value in box], "parts": parts}


def examine_video(
    parser: Parser,
    record: VideoRecord,
    without_dots: PartDetector | None,
    truths: Mapping[int, FrameTruth] | None = None,
) -> VideoFindings:
    """Parse a video, and also run its stages on the truth.

    Args:
        parser: the parser to measure.
        record: the video.
        without_dots: a part detector without dots to measure too.
        truths: of its evaluated frames, by frame index; None reads the dataset's annotation of each frame.

    Raises:
        DataError: the video has no annotated frame.
        VideoError: it cannot be read.
    """
    observed = parser.observe(record.path)
    parse = parser.integrate(observed, use_tracks=True)
    truths = read_truths(record, stride=EVALUATED_STRIDE) if truths is None else truths
    sampled = [frame for frame in parse.frames if frame.index in truths]
    if not sampled:
        raise DataError(f"{record.path}: needs an annotation of an evaluated frame, got none")
    truth = [truths[frame.index] for frame in sampled]
    wanted = {frame.index for frame in sampled}
    images = [frame.image for frame in read_frames(record.path) if frame.index in wanted]
    boxes = [_boxes([person.box for person in frame.persons]) for frame in truth]
    keypoints = [_keypoints(frame) for frame in truth]
    has_keypoints = all(person.keypoints is not None for frame in truth for person in frame.persons)
    poses = parser.people.poses.estimate(images, boxes)
    found_parts = {"dots": parser.people.parts.detect(images, boxes, poses)}
    if has_keypoints:
        found_parts["true dots"] = parser.people.parts.detect(images, boxes, list(map(true_keypoints, truth)))
    if without_dots is not None:
        found_parts["no dots"] = without_dots.detect(images, boxes, poses)
        predicted_boxes = [_boxes([person.box for person in frame.persons]) for frame in sampled]
        predicted_poses = [keypoints_of(frame.persons) for frame in sampled]
        found_parts["predicted no dots"] = without_dots.detect(images, predicted_boxes, predicted_poses)
    starts = [segment.first_frame for segment in parse.segments]
    return VideoFindings(
        record=record,
        parse=parse,
        pcf_parse=parser.integrate(observed, use_tracks=False) if parser.bundle.reads_clips else None,
        sampled=sampled,
        truth=truth,
        segment_of=[int(np.searchsorted(starts, frame.index, side="right")) - 1 for frame in sampled],
        true_persons=list(map(annotated_persons, truth)),
        persons=[Detections.of_persons(frame.persons) for frame in sampled],
        true_poses=list(zip(keypoints, boxes, strict=True)),
        poses=[(keypoints_of(frame.persons), _scores(frame)) for frame in sampled],
        poses_on_truth=poses,
        true_parts=[annotated_parts(frame) for frame in truth],
        parts={source: [part_detections(*pair) for pair in pairs] for source, pairs in found_parts.items()},
        found_parts=found_parts,
        tracked=[
            TrackedFrame(
                {person.identity: person.box for person in true.persons if person.identity is not None},
                {person.track_id: person.box for person in frame.persons},
            )
            for true, frame in zip(truth, sampled, strict=True)
        ],
    )


def _boxes(boxes: Sequence[Sequence[float]]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _keypoints(frame: FrameTruth) -> Boxes:
    none = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    keypoints = [none if person.keypoints is None else person.keypoints for person in frame.persons]
    return np.array(keypoints, np.float32).reshape(-1, NUM_KEYPOINTS, 3)


def true_keypoints(frame: FrameTruth) -> Boxes:
    """Return the annotated persons' keypoints (n, 17, 3): x, y and confidence, 1 for a labelled one and 0 otherwise."""
    keypoints = _keypoints(frame)
    return np.concatenate((keypoints[..., :2], (keypoints[..., 2:] > 0).astype(np.float32)), axis=2)


def _scores(frame: FrameParse) -> Boxes:
    """Return COCO's score of each pose: the box's score times the mean confidence of the keypoints."""
    scores = [person.score * float(np.mean([c for _, _, c in person.keypoints])) for person in frame.persons]
    return np.array(scores, np.float32)


def annotated_persons(frame: FrameTruth) -> Detections:
    """Return the annotated person boxes of a frame."""
    return Detections.of_truth(_boxes([person.box for person in frame.persons]))


def annotated_parts(frame: FrameTruth) -> Detections:
    """Return the annotated part boxes of a frame, with or without a state, labelled by the part."""
    pairs = [(box, PART_INDEX[name]) for person in frame.persons for name, box in person.part_boxes().items()]
    return Detections.of_truth(_boxes([box for box, _ in pairs]), np.array([label for _, label in pairs], np.int64))


def part_detections(boxes: Boxes, scores: NDArray[np.float32]) -> Detections:
    """Return detections, labelled by the part, of part boxes (n, 10, 4) and scores (n, 10) of a frame's persons."""
    labels = np.tile(np.arange(len(PARTS)), len(boxes))
    return Detections(boxes.reshape(-1, 4), scores.reshape(-1), labels)
