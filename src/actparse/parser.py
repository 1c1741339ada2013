"""The three stages wired: a video in, its whole parse out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from actparse import __version__
from actparse.core.errors import ConfigError, VideoError
from actparse.core.structures import (
    Detections,
    FrameParse,
    PartParse,
    PersonParse,
    Reason,
    SegmentParse,
    VideoInfo,
    VideoParse,
)
from actparse.core.vocabulary import PARTS, LabelSpace
from actparse.data.shares import StateShares
from actparse.metrics.calibration import Calibration
from actparse.stages.actions.baseline import BaselineRecognizer, SeenFrames
from actparse.stages.actions.classifier import Classifier, StateRecognizer, best_states, label_scores, readings
from actparse.stages.actions.clips import VideoClips
from actparse.stages.actions.segments import Closed, FrameSegments, Segments, SegmentScores, TimeSegments
from actparse.stages.actions.tracks import FollowedTracks, TrackRecognizer
from actparse.stages.loading import BUNDLE_FILE, StageBundle, bundle_folder, bundle_inference, load_bundle
from actparse.stages.people.colors import person_colors
from actparse.stages.people.part_fusion import PartFusion
from actparse.stages.people.parts import PartDetector
from actparse.stages.people.persons import PersonDetector
from actparse.stages.people.poses import PoseEstimator
from actparse.stages.people.refine import grow_boxes
from actparse.stages.people.second_looks import TiledPersons
from actparse.stages.timing import StageTimer
from actparse.stages.together.explanation import explain
from actparse.stages.together.integrate import (
    calibrated_scores,
    find_verdict,
    joined_scores,
    segment_number,
    with_commonest_states,
    with_states,
)
from actparse.stages.together.reasons import segment_reasons, track_reasons
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.video.decode import DecodedFrame, probe, read_frames
from actparse.video.segments import expect_segment_seconds
from actparse.weights.bundle import config_from_dict, config_to_dict

TimeRange = tuple[float | None, float | None]
Progress = Callable[[int, int], None]  # frames read, frames expected


@dataclass(frozen=True, kw_only=True)
class ParserConfig:
    """How a video is walked through. The defaults are the paper's."""

    stride: int = 5  # every so many frames persons and parts are looked for
    segment_seconds: float = 3.0  # about; the video is divided equally
    level: Literal["segment", "frame"] = "segment"  # "frame": a segment for each sampled frame, from one clip around it
    min_keypoint_confidence: float = 0.25  # a keypoint below it does not move the person box
    condition_on_action: bool = True  # a segment's states are chosen among those of the video's action
    use_tracks: bool = True  # each person's own states, where the weights have a network on keypoints; False: PCF alone
    batch_frames: int = 8  # frames that stage 1 takes together
    tiles: bool = False  # look for persons in overlapping quarters of large frames too

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigError(f"stride must be at least 1, got {self.stride}")
        expect_segment_seconds(self.segment_seconds)
        if self.level not in ("segment", "frame"):
            raise ConfigError(f"level must be 'segment' or 'frame', got {self.level!r}")
        if self.batch_frames < 1:
            raise ConfigError(f"batch_frames must be at least 1, got {self.batch_frames}")

    @classmethod
    def of(cls, weights: str | Path) -> ParserConfig:
        """How to parse with a bundle, as its makers say; the defaults where they do not.

        Raises:
            WeightsError: there is no such bundle, or what it says is no such config.
        """
        return _config(bundle_inference(bundle_folder(weights)))


def _config(inference: Mapping[str, Any]) -> ParserConfig:
    return config_from_dict(ParserConfig, inference, name=f"{BUNDLE_FILE}: inference")


@dataclass(frozen=True)
class Observed:
    """What stages 1 and 2 found in a video, before it is put together."""

    info: VideoInfo
    frames: tuple[FrameParse, ...]  # without states, but for the baseline's
    segments: tuple[SegmentScores, ...]
    clip_scores: dict[str, float]  # action -> probability, from clips of the whole video; empty without such a network
    track_scores: dict[str, float] | None  # the same from the persons' tracks; None where these are not read
    warnings: tuple[str, ...]


class Parser:
    """The whole system: `Parser.load("people").parse("video.mp4")`."""

    def __init__(self, bundle: StageBundle, config: ParserConfig | None = None) -> None:
        self.config = config or _config(bundle.inference)
        self.labels: LabelSpace = bundle.labels
        self.persons: PersonDetector = TiledPersons(bundle.persons) if self.config.tiles else bundle.persons
        self.poses: PoseEstimator = bundle.poses
        self.parts: PartDetector | PartFusion = bundle.parts
        self.action: Classifier | None = bundle.action
        self.states: StateRecognizer | None = bundle.states
        self.baseline: BaselineRecognizer | None = bundle.baseline  # in the place of both
        self.tracks: TrackRecognizer | None = bundle.tracks
        self.shares: StateShares | None = bundle.shares
        self.calibration: Calibration = bundle.calibration
        self.model = {**bundle.model, "actparse": __version__}
        if self.calibration != Calibration():
            self.model["calibration"] = json.dumps(config_to_dict(self.calibration))
        if not self.config.use_tracks:
            self._expect_clip_networks()
        self.timer = StageTimer()  # seconds that each stage took in this parser's life

    @classmethod
    def load(
        cls, weights: str | Path = "people", *, device: str | None = None, config: ParserConfig | None = None
    ) -> Parser:
        """Build a parser from a bundle of weights.

        Args:
            weights: "people" for real footage, "tiny" for drawn people, or the path of a bundle's folder.
            device: "cpu", "cuda", "cuda:1"; None takes a GPU where there is one.
            config: how a video is walked through; None is what the bundle says, see `ParserConfig.of`.

        Raises:
            ConfigError: torch has no such device on this machine.
            WeightsError: there is no such bundle, or a file in it is missing or damaged.
        """
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        _expect_device(name)
        return cls(load_bundle(weights, device=name), config)

    def parse(
        self, video: str | Path, *, time_range: TimeRange | None = None, progress: Progress | None = None
    ) -> VideoParse:
        """Parse a video at all three levels.

        Args:
            video: a file that FFmpeg reads.
            time_range: (start, end) in seconds of presentation time; None on either side leaves it open.
            progress: called with the frames read so far and the frames expected.

        Raises:
            VideoError: the file cannot be read as a video, or holds no frame in `time_range`.
        """
        return self.integrate(self.observe(video, time_range=time_range, progress=progress))

    def observe(
        self,
        video: str | Path,
        *,
        time_range: TimeRange | None = None,
        progress: Progress | None = None,
        stage_1: Sequence[FrameParse] | None = None,
    ) -> Observed:
        """Stages 1 and 2 of `parse`; other arguments and errors are its own.

        Args:
            stage_1: what a parser with the same stage 1 observed in the same frames; it is not looked for again.
        """
        walk = _Walk(self, Path(video), time_range, progress)
        walk.known = None if stage_1 is None else {frame.index: frame for frame in stage_1}
        frames: list[FrameParse] = []
        segments: list[SegmentScores] = []
        for found, segment in walk:
            frames += found
            segments.append(segment)
        return Observed(
            info=walk.info,
            frames=tuple(frames),
            segments=tuple(segments),
            clip_scores=walk.action_scores(),
            track_scores=self._track_scores(frames),
            warnings=tuple(walk.warnings),
        )

    def _track_scores(self, frames: list[FrameParse]) -> dict[str, float] | None:
        if self.tracks is None or not self.config.use_tracks:
            return None
        with self.timer("tracks"):
            scores = self.tracks.evidence(frames).scores()
        return dict(zip(self.tracks.actions, map(float, scores), strict=True))

    def integrate(
        self, observed: Observed, *, use_tracks: bool | None = None, condition_on_action: bool | None = None
    ) -> VideoParse:
        """Stage 3: one action, and a state for every part.

        Args:
            observed: what the stages found.
            use_tracks: instead of the config's.
            condition_on_action: instead of the config's.
        """
        conditions = self.config.condition_on_action if condition_on_action is None else condition_on_action
        tracks = self.tracks if (self.config.use_tracks if use_tracks is None else use_tracks) else None
        if tracks is None:
            self._expect_clip_networks()
        action_scores = observed.clip_scores
        if tracks is not None and observed.track_scores is not None:
            action_scores = joined_scores(observed.clip_scores, observed.track_scores, tracks.config.action_share)
        action = max(action_scores, key=lambda name: action_scores[name])
        segments = tuple(self._with_states(item, action if conditions else None) for item in observed.segments)
        final_scores = calibrated_scores(action_scores, self.calibration)  # states rest on those before, as in training
        has_persons = any(frame.persons for frame in observed.frames)
        verdict = find_verdict(final_scores[action], self.calibration, has_persons=has_persons)
        reasons: tuple[Reason, ...] = ()
        if self.baseline is not None:
            frames = list(observed.frames)
            segments = tuple(with_commonest_states(segment, frames) for segment in segments)
        elif tracks is None:
            frames = [with_states(f, segments[segment_number(f.index, segments)]) for f in observed.frames]
            reasons = segment_reasons(observed.segments, segments, self.labels, action)
        else:
            with self.timer("tracks"):
                told = np.array([action_scores[name] for name in tracks.actions], np.float32)  # (A,)
                told = told if conditions else tracks.no_evidence.scores()
                readings = tracks.read(observed.frames, told)
                frames = tracks.named(observed.frames, readings)
            if self.states is None:
                segments = tuple(with_commonest_states(segment, frames) for segment in segments)
            if self.shares is not None:
                with self.timer("reasons"):
                    reasons = track_reasons(tracks, self.shares, frames, readings, action)
        return VideoParse(
            video=observed.info,
            action=action,
            action_scores=final_scores,
            frames=tuple(frames),
            segments=segments,
            model=self.model,
            warnings=observed.warnings,
            reasons=reasons if has_persons else (),
            explanation=explain(action, final_scores[action], reasons, observed.info.duration_seconds, verdict=verdict),
            verdict=verdict,
        )

    def stream(self, video: str | Path, *, time_range: TimeRange | None = None) -> Iterator[FrameParse]:
        """Yield sampled frames as their segments end; states rest on what was seen so far.

        Raises:
            VideoError: as for `parse`.
        """
        if self.tracks is not None and self.config.use_tracks:
            followed = FollowedTracks(self.tracks, condition_on_action=self.config.condition_on_action)
            for found, _ in _Walk(self, Path(video), time_range, None, reads_clips=False):
                yield from followed.with_states(found)
            return
        for found, scored in _Walk(self, Path(video), time_range, None):
            if self.baseline is not None:
                yield from found
                continue
            segment = self._with_states(scored, None)
            yield from (with_states(frame, segment) for frame in found)

    @property
    def reads_clips(self) -> bool:
        """Whether the action comes from clips or frames, and not from the persons' tracks only."""
        return self.action is not None or self.baseline is not None

    def _expect_clip_networks(self) -> None:
        if not self.reads_clips:
            name = self.model["weights"]
            raise ConfigError(
                f"use_tracks must be True with the weights {name!r}, which have no clip networks, got False"
            )

    def _with_states(self, scored: SegmentScores, action: str | None) -> SegmentParse:
        states, state_scores = best_states(scored.group_scores, self.labels, action=action)
        return replace(scored.segment, states=states, state_scores=state_scores)

    def parse_frames(self, frames: list[DecodedFrame], tracker: Tracker) -> list[FrameParse]:
        """Stage 1 on frames of one size, in the order of their times: persons, poses, grown boxes, parts, tracks."""
        with self.timer("decode"):
            images = [frame.image for frame in frames]
        with self.timer("persons"):
            boxes = self.persons.detect(images)
        with self.timer("poses"):
            poses = self.poses.estimate(images, [found.boxes for found in boxes])
        distinct = [self.poses.select(*pair) for pair in zip(boxes, poses, strict=True)]
        persons, keypoints = [found for found, _ in distinct], [points for _, points in distinct]
        grown = [
            grow_boxes(found.boxes, points, min_confidence=self.config.min_keypoint_confidence, size=image.shape[:2])
            for found, points, image in zip(persons, keypoints, images, strict=True)
        ]
        with self.timer("parts"):
            parts = self.parts.detect(images, grown, keypoints)
        with self.timer("identities"):
            return [
                _frame_parse(frame, Detections(boxes, found.scores, found.labels), points, found_parts, tracker)
                for frame, boxes, found, points, found_parts in zip(
                    frames, grown, persons, keypoints, parts, strict=True
                )
            ]


class _Walk:
    """One pass over a video: yields, segment by segment, its sampled frames and its scores.

    Without `reads_clips` the clip networks are left out: segments have no scores, and the video none of its action.
    The baseline reads none; it looks at the sampled frames.
    """

    def __init__(
        self,
        parser: Parser,
        path: Path,
        time_range: TimeRange | None,
        progress: Progress | None,
        *,
        reads_clips: bool = True,
    ) -> None:
        self.parser = parser
        self.states = parser.states if reads_clips else None
        with parser.timer("decode"):
            self.info = probe(path, time_range=time_range)
        self.warnings: list[str] = []
        self.known: dict[int, FrameParse] | None = None  # sampled frames whose persons need not be looked for
        self._path, self._time_range, self._progress = path, time_range, progress
        self._tracker = Tracker(TrackerConfig())
        of_action = readings([parser.action]) if reads_clips and parser.action is not None else ()
        self._video_clips = [
            VideoClips(config, duration_seconds=self.info.duration_seconds, num_frames=self.info.num_frames)
            for config in of_action
        ]
        self._seen: SeenFrames | None = None  # by the baseline
        self._num_read = 0

    def _segments(self) -> Segments:
        parser, config = self.parser, self.parser.config
        if config.level == "frame" and self.states is not None:
            return FrameSegments(self._parse_frames, self.states, parser.timer, batch_frames=config.batch_frames)
        return TimeSegments(
            self._parse_frames,
            self.states,
            parser.timer,
            batch_frames=config.batch_frames,
            duration_seconds=self.info.duration_seconds,
            segment_seconds=config.segment_seconds,
        )

    def _parse_frames(self, frames: list[DecodedFrame]) -> list[FrameParse]:
        if self.known is not None:
            found = [self.known[frame.index] for frame in frames]
        else:
            found = self.parser.parse_frames(frames, self._tracker)
        baseline = self.parser.baseline
        if baseline is None:
            return found
        with self.parser.timer("baseline"):
            seen, found = baseline.look([frame.image for frame in frames], found)
        self._seen = seen if self._seen is None else self._seen + seen
        return found

    def __iter__(self) -> Iterator[Closed]:
        reader = read_frames(self._path, time_range=self._time_range)
        segments = self._segments()
        start = 0.0
        for frame in self._timed(iter(reader)):
            if self._num_read == 0:
                start = frame.time_seconds
            yield from segments.add(frame, is_sampled=self._num_read % self.parser.config.stride == 0)
            if self._video_clips:
                with self.parser.timer("clips"):
                    for clips in self._video_clips:
                        clips.add(frame.image, frame.time_seconds)
            self._num_read += 1
            if self._progress:
                self._progress(self._num_read, max(self._num_read, self.info.num_frames))
            last = frame
        if self._num_read == 0:
            raise VideoError(f"{self._path}: needs at least one frame in the asked time, got none")
        self.warnings += reader.warnings
        self.info = reader.info
        end = max(start + self.info.duration_seconds, last.time_seconds)
        yield from segments.close(end, last.index + 1)

    def _timed(self, frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
        while True:
            with self.parser.timer("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def action_scores(self) -> dict[str, float]:
        """The probability of each action, from clips of the whole video; call it when the walk is over."""
        action, baseline = self.parser.action, self.parser.baseline
        if not self.parser.reads_clips:
            return {}
        with self.parser.timer("action"):
            if baseline is not None:
                assert self._seen is not None
                return dict(zip(baseline.actions, map(float, baseline.action_scores(self._seen)), strict=True))
            assert action is not None
            scores = label_scores(action, {clips.config: clips.clips() for clips in self._video_clips})
        return {label[0]: float(score) for label, score in zip(action.labels, scores, strict=True)}


def _expect_device(name: str) -> None:
    """Check that torch computes there.

    Raises:
        ConfigError: there is no such device.
    """
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError):  # the latter from a build without CUDA
        raise ConfigError(f"device must be cpu, or a GPU that torch sees (cuda, cuda:1), got {name!r}") from None


def _frame_parse(
    frame: DecodedFrame,
    persons: Detections,
    keypoints: NDArray[np.float32],
    parts: tuple[NDArray[np.float32], NDArray[np.float32]],
    tracker: Tracker,
) -> FrameParse:
    colors = person_colors(frame.image, keypoints)
    ids = tracker.update(frame.time_seconds, persons.boxes, persons.scores, keypoints, colors)
    part_boxes, part_scores = parts  # (n, 10, 4), (n, 10)
    return FrameParse(
        index=frame.index,
        time_seconds=frame.time_seconds,
        persons=tuple(
            PersonParse(
                track_id=int(ids[n]),
                box=_as_box(persons.boxes[n]),
                score=float(persons.scores[n]),
                keypoints=tuple((float(x), float(y), float(c)) for x, y, c in keypoints[n]),
                parts=tuple(
                    PartParse(name, _as_box(part_boxes[n, k]), float(part_scores[n, k])) for k, name in enumerate(PARTS)
                ),
            )
            for n in range(len(persons))
        ),
    )


def _as_box(values: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    return (x1, y1, x2, y2)
