"""Result types. Boxes are float xyxy in pixels of the original frame; time is presentation time in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX

SCHEMA_VERSION = "1.3"  # 1.1 added reasons and explanation, 1.2 verdict, 1.3 objects
SCHEMA_MAJOR = "1"  # a reader accepts all of its minor versions

Verdict = Literal["known", "unknown", "nobody"]  # an action is asserted; none is; no person was detected


@dataclass(frozen=True)
class Detections:
    """Boxes of one image: `boxes` (N, 4) xyxy, pixels; `scores` (N,) in [0, 1]; `labels` (N,) int64. N may be 0."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of_persons(cls, persons: Sequence[PersonParse]) -> Detections:
        """Return the boxes of the persons of a frame, with label 0."""
        boxes = np.array([person.box for person in persons], np.float32).reshape(-1, 4)
        scores = np.array([person.score for person in persons], np.float32)
        return cls(boxes, scores, np.zeros(len(boxes), np.int64))

    @classmethod
    def empty(cls) -> Detections:
        """Return no boxes."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of_truth(cls, boxes: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> Detections:
        """Convert annotated boxes (N, 4) to detections with score 1; without labels they are all 0."""
        labels = np.zeros(len(boxes), np.int64) if labels is None else labels
        return cls(boxes, np.ones(len(boxes), np.float32), labels)

    def at(self, rows: NDArray[Any]) -> Detections:
        """Return the boxes of the given rows: indices, or (N,) bool."""
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows])

    def above(self, min_score: float) -> Detections:
        """Return the boxes whose score is at least `min_score`."""
        return self.at(self.scores >= min_score)

    def top(self, max_boxes: int) -> Detections:
        """Return the `max_boxes` boxes of highest score, best first."""
        return self.at(np.argsort(-self.scores, kind="stable")[:max_boxes])


@dataclass(frozen=True)
class PartParse:
    """One body part in one frame. `state` is None until the states of its segment are known."""

    name: str  # one of vocabulary.PARTS
    box: tuple[float, float, float, float]  # xyxy, pixels
    score: float  # of the box, 0..1
    state: str | None = None
    state_score: float | None = None  # 0..1

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PartParse:
        """Convert the JSON values of a part."""
        if raw["name"] not in PART_INDEX:
            raise ValueError(f"unknown part {raw['name']!r}")
        state, score = raw["state"], raw["state_score"]
        return cls(
            name=raw["name"],
            box=_box_from_list(raw["box"]),
            score=float(raw["score"]),
            state=None if state is None else str(state),
            state_score=None if score is None else float(score),
        )


@dataclass(frozen=True)
class PersonParse:
    """One person in one frame; `track_id` is unique in the video."""

    track_id: int
    box: tuple[float, float, float, float]  # xyxy, pixels
    score: float  # 0..1
    keypoints: tuple[tuple[float, float, float], ...]  # 17 rows x, y, confidence, COCO order
    parts: tuple[PartParse, ...] = ()

    def part(self, name: str) -> PartParse | None:
        """Return the part with this name, or None if it was not detected."""
        return next((part for part in self.parts if part.name == name), None)

    def keypoint_array(self) -> NDArray[np.float32]:
        """Return the keypoints as (17, 3): x, y in pixels, confidence in [0, 1]."""
        return np.asarray(self.keypoints, np.float32).reshape(NUM_KEYPOINTS, 3)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PersonParse:
        """Convert the JSON values of a person."""
        keypoints = tuple((float(x), float(y), float(c)) for x, y, c in raw["keypoints"])
        if len(keypoints) != NUM_KEYPOINTS:
            raise ValueError(f"keypoints must have {NUM_KEYPOINTS} rows, got {len(keypoints)}")
        parts = tuple(PartParse.from_dict(part) for part in raw["parts"])
        return cls(int(raw["track_id"]), _box_from_list(raw["box"]), float(raw["score"]), keypoints, parts)


@dataclass(frozen=True)
class ObjectParse:
    """An object in one frame that belongs to an action, a skateboard say."""

    name: str
    box: tuple[float, float, float, float]  # xyxy, pixels
    score: float  # 0..1

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> ObjectParse:
        """Convert the JSON values of an object."""
        return cls(str(raw["name"]), _box_from_list(raw["box"]), float(raw["score"]))


@dataclass(frozen=True)
class FrameParse:
    """One sampled frame: its index (from 0) among all frames of the video, its presentation time, and what it shows."""

    index: int
    time_seconds: float
    persons: tuple[PersonParse, ...] = ()
    objects: tuple[ObjectParse, ...] = ()  # best first

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> FrameParse:
        """Convert the JSON values of a frame."""
        return cls(
            index=int(raw["index"]),
            time_seconds=float(raw["time_seconds"]),
            persons=tuple(map(PersonParse.from_dict, raw["persons"])),
            objects=tuple(map(ObjectParse.from_dict, raw.get("objects", ()))),  # files before 1.3 have none
        )


@dataclass(frozen=True)
class SegmentParse:
    """One segment of the video, [first_frame, end_frame), with the predicted state of each part."""

    start_seconds: float
    end_seconds: float
    first_frame: int
    end_frame: int
    states: dict[str, str] = field(default_factory=dict)  # part -> state
    state_scores: dict[str, float] = field(default_factory=dict)  # part -> 0..1

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> SegmentParse:
        """Convert the JSON values of a segment."""
        return cls(
            start_seconds=float(raw["start_seconds"]),
            end_seconds=float(raw["end_seconds"]),
            first_frame=int(raw["first_frame"]),
            end_frame=int(raw["end_frame"]),
            states={str(part): str(state) for part, state in raw["states"].items()},
            state_scores={str(part): float(score) for part, score in raw["state_scores"].items()},
        )


@dataclass(frozen=True)
class Reason:
    """A body part in a state, and its weight for the video's action. A person's part and state occur only once."""

    part: str  # one of vocabulary.PARTS
    state: str
    weight: float  # log odds of the action with it minus those without it: above 0 is for the action, below 0 against
    start_seconds: float  # of the interval in which its weight is largest
    end_seconds: float
    track_id: int | None = None  # of the person; None if all persons of a segment share their states

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Reason:
        """Convert the JSON values of a reason."""
        if raw["part"] not in PART_INDEX:
            raise ValueError(f"unknown part {raw['part']!r}")
        track = None if raw["track_id"] is None else int(raw["track_id"])
        start, end = float(raw["start_seconds"]), float(raw["end_seconds"])
        return cls(raw["part"], str(raw["state"]), float(raw["weight"]), start, end, track)


@dataclass(frozen=True)
class VideoInfo:
    """Properties of the video file, after rotation: `width` and `height` are those of the upright frame."""

    path: str
    width: int
    height: int
    num_frames: int  # decoded, within the requested time range
    duration_seconds: float
    mean_fps: float  # num_frames / duration; times come from the timestamp of each frame
    rotation_degrees: int = 0
    has_audio: bool = False

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> VideoInfo:
        """Convert the JSON values of a video file."""
        return cls(
            path=str(raw["path"]),
            width=int(raw["width"]),
            height=int(raw["height"]),
            num_frames=int(raw["num_frames"]),
            duration_seconds=float(raw["duration_seconds"]),
            mean_fps=float(raw["mean_fps"]),
            rotation_degrees=int(raw["rotation_degrees"]),
            has_audio=bool(raw["has_audio"]),
        )


@dataclass(frozen=True)
class VideoParse:
    """The parse of a video: its action, the persons in each frame, and the states of their body parts."""

    video: VideoInfo
    action: str
    action_scores: dict[str, float]  # action -> 0..1; the sum is at most 1, see `Calibration.consistency`
    frames: tuple[FrameParse, ...]
    segments: tuple[SegmentParse, ...]
    model: dict[str, str] = field(default_factory=dict)  # name and hash of the weights, version of the program
    warnings: tuple[str, ...] = ()
    schema_version: str = SCHEMA_VERSION
    reasons: tuple[Reason, ...] = ()  # for and against `action`, largest weight first
    explanation: str = ""  # the reasons as a sentence
    verdict: Verdict = "known"  # whether `action`, which has the largest score, is asserted

    @property
    def verdict_text(self) -> str:
        """Return the verdict as text with the score; see the function of this name."""
        return verdict_text(self.verdict, self.action, self.action_scores.get(self.action, 0.0))

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the parse as JSON text that `json_schema()` describes."""
        # `vars`, because `asdict` would copy everything
        return json.dumps(self, default=vars, indent=indent, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> VideoParse:
        """Convert the JSON values of a parse."""
        verdict: Verdict = raw.get("verdict", "known")  # files of 1.0 and 1.1 have none and assert their action
        if verdict not in get_args(Verdict):
            raise ValueError(f"unknown verdict {verdict!r}")
        action_scores = {str(name): float(score) for name, score in raw["action_scores"].items()}
        if raw["action"] not in action_scores:
            raise ValueError(f"the action {raw['action']!r} has no score")
        return cls(
            video=VideoInfo.from_dict(raw["video"]),
            action=str(raw["action"]),
            action_scores=action_scores,
            frames=tuple(map(FrameParse.from_dict, raw["frames"])),
            segments=tuple(map(SegmentParse.from_dict, raw["segments"])),
            model={str(name): str(text) for name, text in raw["model"].items()},
            warnings=tuple(map(str, raw["warnings"])),
            schema_version=str(raw["schema_version"]),
            reasons=tuple(map(Reason.from_dict, raw.get("reasons", ()))),  # files of 1.0 have none
            explanation=str(raw.get("explanation", "")),
            verdict=verdict,
        )

    @classmethod
    def from_json(cls, text: str) -> VideoParse:
        """Read the JSON text that `to_json` writes.

        Raises:
            DataError: the text is not JSON, is of another major schema version, or lacks a field.
        """
        try:
            raw = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise DataError(f"parse: needs JSON text, got {error}") from None
        version = str(raw.get("schema_version")) if isinstance(raw, dict) else "none"
        if version.partition(".")[0] != SCHEMA_MAJOR:
            raise DataError(f"parse: schema_version must be {SCHEMA_MAJOR}.x, got {version}")
        try:
            return cls.from_dict(raw)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(f"parse: a field is missing or of another type: {error}") from None


def keypoints_of(persons: Sequence[PersonParse]) -> NDArray[np.float32]:
    """Return the keypoints (N, 17, 3) of N persons: x, y in pixels, confidence in [0, 1]."""
    return np.array([person.keypoints for person in persons], np.float32).reshape(-1, NUM_KEYPOINTS, 3)


def verdict_text(verdict: Verdict, action: str, score: float | None = None) -> str:
    """Return the verdict on a video's action as text for a reader.

    Args:
        verdict: whether the action is asserted.
        action: the action with the largest score.
        score: of the action, 0..1; None leaves it out.

    Returns:
        "push up 93 %", "no known action (closest: push up 31 %)" or "nobody found".
    """
    if verdict == "nobody":
        return "nobody found"
    text = action.replace("_", " ") + ("" if score is None else f" {100 * score:.0f} %")
    return text if verdict == "known" else f"no known action (closest: {text})"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `VideoParse.to_json`."""
    text = files("actparse").joinpath("parse.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no number")


def _box_from_list(values: list[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    return (x1, y1, x2, y2)
