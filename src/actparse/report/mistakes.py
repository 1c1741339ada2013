"""The differences between a parse and its truth, by the official rule: persons, boxes of parts, states."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from actparse.core.errors import DataError
from actparse.core.structures import PersonParse, VideoParse
from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import Box, PartTruth, frame_name, frame_truth_from_dict
from actparse.data.submission import MAX_HUMANS, TpsFiles
from actparse.metrics.tps import inclusive_iou, match_persons

HUMAN_IOU, PART_IOU = 0.5, 0.3  # thresholds of the challenge


@dataclass(frozen=True)
class PartMark:
    """The verdict on one annotated part of a detected person."""

    frame: int  # index into the parse's frames
    track_id: int
    part: str
    verdict: str  # "right", "missed" (no proposal), "box", "state", or "both"
    state: str  # the true one
    box: Box  # the true one, xyxy, pixels


@dataclass(frozen=True)
class Mistakes:
    """A video's mistakes in the annotated frames."""

    action: str  # the true one
    frames: tuple[int, ...]  # indices of the parse's frames that have a truth
    missed_persons: tuple[tuple[int, Box], ...]  # index of the frame, true box
    false_persons: tuple[tuple[int, int], ...]  # index of the frame, track
    parts: tuple[PartMark, ...]

    def counts(self) -> dict[str, int]:
        """Count the mistakes of each kind; the parts of missed persons are not among the parts."""
        verdicts = Counter(mark.verdict for mark in self.parts)
        return {
            "missed_persons": len(self.missed_persons),
            "false_persons": len(self.false_persons),
            **{verdict: verdicts[verdict] for verdict in ("right", "missed", "box", "state", "both")},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; correct parts are only counted, not listed."""
        return {
            "action": self.action,
            "counts": self.counts(),
            "frames": list(self.frames),
            "missed_persons": [[row, *map(round, box)] for row, box in self.missed_persons],
            "false_persons": [list(pair) for pair in self.false_persons],
            "parts": [
                [m.frame, m.track_id, PARTS.index(m.part), m.verdict, m.state, *map(round, m.box)]
                for m in self.parts
                if m.verdict != "right"
            ],
        }


def find_mistakes(parse: VideoParse, name: str, truth: TpsFiles) -> Mistakes:
    """Compare a parse with its truth.

    Args:
        parse: the parse of the video.
        name: name of the video in the truth.
        truth: the evaluator's files; every fifth frame is annotated.

    Raises:
        DataError: the truth does not have the video, or one of its frames is not of the evaluator's form.
    """
    if name not in truth.videos:
        raise DataError(f"{name}: needs a video of the truth, got one that is not in it")
    missed: list[tuple[int, Box]] = []
    false: list[tuple[int, int]] = []
    marks: list[PartMark] = []
    annotated = truth.parts.get(name, {})
    files = {row: frame_name(frame.index) for row, frame in enumerate(parse.frames)}
    compared = {  # index into the parse's frames -> truth
        row: frame_truth_from_dict(annotated[file], f"truth: {name}, {file}")
        for row, file in files.items()
        if file in annotated
    }
    for row, true in compared.items():
        # the persons that the evaluator would consider
        persons = sorted(parse.frames[row].persons, key=lambda person: -person.score)[:MAX_HUMANS]
        partner = match_persons([p.box for p in true.persons], [p.box for p in persons], HUMAN_IOU)
        missed += [(row, person.box) for n, person in enumerate(true.persons) if n not in partner]
        false += [(row, person.track_id) for n, person in enumerate(persons) if n not in partner.values()]
        for n, predicted in partner.items():
            person = persons[predicted]
            marks += [
                PartMark(row, person.track_id, name, _verdict(person, name, part), part.state, part.box)
                for name, part in true.persons[n].parts.items()
            ]
    return Mistakes(truth.videos[name], tuple(compared), tuple(missed), tuple(false), tuple(marks))


def _verdict(person: PersonParse, name: str, true: PartTruth) -> str:
    part = person.part(name)
    if part is None or part.state is None:
        return "missed"
    overlap = inclusive_iou(np.array([part.box]), np.array([true.box]))[0, 0]
    wrong_box, wrong_state = overlap < PART_IOU, part.state != true.state
    return "both" if wrong_box and wrong_state else "box" if wrong_box else "state" if wrong_state else "right"
