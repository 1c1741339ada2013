"""The parser: it runs the three stages on a video and returns the complete parse."""

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
    weaker_share,
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
    """Settings for parsing a video. The defaults follow the paper."""

    stride: int = 5  # frames from one sampled frame to the next; persons and parts are detected in sampled frames
    segment_seconds: float = 3.0  # approximate length of a segment; all segments of a video are equally long
    level: Literal["segment", "frame"] = "segment"  # "frame": one segment per sampled frame, from one clip around it
    min_keypoint_confidence: float = 0.25  # keypoints below it do not enlarge the person box
    condition_on_action: bool = True  # choose states only from labels of the video's action
    use_tracks: bool = True  # separate states for each person, if the weights have a keypoint network; False: only PCF
    batch_frames: int = 8  # frames that stage 1 processes together
    tiles: bool = False  # also detect persons in overlapping quarters of large frames

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
        """Return the settings that a bundle recommends, with defaults for the fields that it does not set.

        Raises:
            WeightsError: there is no such bundle, or its settings are not a valid config.
        """
        return _config(bundle_inference(bundle_folder(weights)))


def _config(inference: Mapping[str, Any]) -> ParserConfig:
    return config_from_dict(ParserConfig, inference, name=f"{BUNDLE_FILE}: inference")


@dataclass(frozen=True)
class Observed:
    """The results of stages 1 and 2 for a video, before stage 3 combines them."""

    info: VideoInfo
    frames: tuple[FrameParse, ...]  # without states, except from the baseline
    segments: tuple[SegmentScores, ...]
    clip_scores: dict[str, float]  # action -> probability, from clips of the whole video; empty without such a network
    track_scores: dict[str, float] | None  # the same from the persons' tracks; None if tracks are not used
    warnings: tuple[str, ...]
    half_track_scores: tuple[dict[str, float], ...] = ()  # of both halves, if the calibration uses them


class Parser:
    """The complete system: `Parser.load("people").parse("video.mp4")`."""

    def __init__(self, bundle: StageBundle, config: ParserConfig | None = None) -> None:
        self.config = config or _config(bundle.inference)
        self.labels: LabelSpace = bundle.labels
        self.persons: PersonDetector = TiledPersons(bundle.persons) if self.config.tiles else bundle.persons
        self.poses: PoseEstimator = bundle.poses
        self.parts: PartDetector | PartFusion = bundle.parts
        self.action: Classifier | None = bundle.action
        self.states: StateRecognizer | None = bundle.states
        self.baseline: BaselineRecognizer | None = bundle.baseline  # replaces action and states
        self.tracks: TrackRecognizer | None = bundle.tracks
        self.shares: StateShares | None = bundle.shares
        self.calibration: Calibration = bundle.calibration
        self.model = {**bundle.model, "actparse": __version__}
        if self.calibration != Calibration():
            self.model["calibration"] = json.dumps(config_to_dict(self.calibration))
        if not self.config.use_tracks:
            self._expect_clip_networks()
        self.timer = StageTimer()  # seconds of each stage since this parser was built

    @classmethod
    def load(
        cls, weights: str | Path = "people", *, device: str | None = None, config: ParserConfig | None = None
    ) -> Parser:
        """Build a parser from a bundle of weights.

        Args:
            weights: "people" for real footage, "tiny" for drawn people, or the path of a bundle's folder.
            device: "cpu", "cuda", "cuda:1"; None uses a GPU if there is one.
            config: settings for parsing; None uses those of the bundle, see `ParserConfig.of`.

        Raises:
            ConfigError: torch has no such device on this machine, or the config needs networks that the bundle lacks.
            WeightsError: there is no such bundle, or a file in it is missing or damaged.
        """
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        _expect_device(name)
        return cls(load_bundle(weights, device=name), config)

    def parse(
        self,
        video: str | Path,
        *,
        time_range: TimeRange | None = None,
        frame_rate: float | None = None,
        progress: Progress | None = None,
    ) -> VideoParse:
        """Parse a video at all three levels.

        Args:
            video: a file that FFmpeg can read, or an image sequence: a folder, or a name such as img_%04d.png.
            time_range: (start, end) in seconds of presentation time; None on either side means no limit.
            frame_rate: frames a second of an image sequence.
            progress: called with the number of frames read so far and the number expected.

        Raises:
            VideoError: the file cannot be read as a video, or has no frame in `time_range`.
        """
        return self.integrate(self.observe(video, time_range=time_range, frame_rate=frame_rate, progress=progress))

    def observe(
        self,
        video: str | Path,
        *,
        time_range: TimeRange | None = None,
        frame_rate: float | None = None,
        progress: Progress | None = None,
        stage_1: Sequence[FrameParse] | None = None,
    ) -> Observed:
        """Run stages 1 and 2 of `parse`; the other arguments and the errors are the same as there.

        Args:
            stage_1: results of a parser with the same stage 1 for the same frames; stage 1 is then skipped.
        """
        video_pass = _VideoPass(self, Path(video), time_range, progress, frame_rate=frame_rate)
        video_pass.stage_1 = None if stage_1 is None else {frame.index: frame for frame in stage_1}
        frames: list[FrameParse] = []
        segments: list[SegmentScores] = []
        for segment_frames, segment in video_pass:
            frames += segment_frames
            segments.append(segment)
        return Observed(
            info=video_pass.info,
            frames=tuple(frames),
            segments=tuple(segments),
            clip_scores=video_pass.action_scores(),
            track_scores=self._track_scores(frames),
            half_track_scores=self._half_track_scores(frames),
            warnings=tuple(video_pass.warnings),
        )

    def _track_scores(self, frames: list[FrameParse]) -> dict[str, float] | None:
        if self.tracks is None or not self.config.use_tracks:
            return None
        with self.timer("tracks"):
            return self.tracks.evidence(frames).by_action(self.tracks.actions)

    def _half_track_scores(self, frames: list[FrameParse]) -> tuple[dict[str, float], ...]:
        """Return the track scores of both halves of the frames, without halves that show nobody."""
        if self.tracks is None or not self.config.use_tracks or not self.calibration.consistency:
            return ()
        middle = len(frames) // 2
        with self.timer("tracks"):
            halves = [self.tracks.evidence(half) for half in (frames[:middle], frames[middle:])]
        return tuple(half.by_action(self.tracks.actions) for half in halves if half.weight > 0)

    def integrate(
        self, observed: Observed, *, use_tracks: bool | None = None, condition_on_action: bool | None = None
    ) -> VideoParse:
        """Run stage 3: choose one action, and a state for every part.

        Args:
            observed: results of stages 1 and 2.
            use_tracks: replaces the value of the config.
            condition_on_action: replaces the value of the config.
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
        # States depend on the scores before calibration, as in training.
        halves = [scores[action] for scores in observed.half_track_scores] if tracks is not None else []
        share = weaker_share(observed.track_scores[action], halves) if observed.track_scores is not None else 1.0
        final_scores = calibrated_scores(action_scores, self.calibration, share=share)
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
                given_scores = np.array([action_scores[name] for name in tracks.actions], np.float32)  # (A,)
                given_scores = given_scores if conditions else tracks.no_evidence.scores()
                outputs = tracks.read(observed.frames, given_scores)
                frames = tracks.named(observed.frames, outputs)
            if self.states is None:
                segments = tuple(with_commonest_states(segment, frames) for segment in segments)
            if self.shares is not None:
                with self.timer("reasons"):
                    reasons = track_reasons(tracks, self.shares, frames, outputs, action)
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
        """Yield the sampled frames of each segment when it ends; states depend only on the video so far.

        Raises:
            VideoError: as for `parse`.
        """
        if self.tracks is not None and self.config.use_tracks:
            followed = FollowedTracks(self.tracks, condition_on_action=self.config.condition_on_action)
            for frames, _ in _VideoPass(self, Path(video), time_range, None, reads_clips=False):
                yield from followed.with_states(frames)
            return
        for frames, scored in _VideoPass(self, Path(video), time_range, None):
            if self.baseline is not None:
                yield from frames
                continue
            segment = self._with_states(scored, None)
            yield from (with_states(frame, segment) for frame in frames)

    @property
    def reads_clips(self) -> bool:
        """Whether the action comes from clips or frames, and not only from the persons' tracks."""
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
        """Run stage 1 on frames of one size, in order of time: persons, poses, grown boxes, parts and identities."""
        with self.timer("decode"):
            images = [frame.image for frame in frames]
        with self.timer("persons"):
            detections = self.persons.detect(images)
        with self.timer("poses"):
            poses = self.poses.estimate(images, [persons.boxes for persons in detections])
        selected = [self.poses.select(*pair) for pair in zip(detections, poses, strict=True)]
        grown = [
            grow_boxes(persons.boxes, points, min_confidence=self.config.min_keypoint_confidence, size=image.shape[:2])
            for (persons, points), image in zip(selected, images, strict=True)
        ]
        with self.timer("parts"):
            parts = self.parts.detect(images, grown, [points for _, points in selected])
        with self.timer("identities"):
            return [
                _frame_parse(frame, Detections(boxes, persons.scores, persons.labels), points, frame_parts, tracker)
                for frame, boxes, (persons, points), frame_parts in zip(frames, grown, selected, parts, strict=True)
            ]


class _VideoPass:
    """One pass over a video; iterating yields the sampled frames and the scores of each segment.

    Without `reads_clips` the clip networks do not run: segments have no scores, and the video has no action scores.
    The baseline needs no clips; it uses the sampled frames.
    """

    def __init__(
        self,
        parser: Parser,
        path: Path,
        time_range: TimeRange | None,
        progress: Progress | None,
        *,
        frame_rate: float | None = None,
        reads_clips: bool = True,
    ) -> None:
        self.parser = parser
        self.states = parser.states if reads_clips else None
        with parser.timer("decode"):
            self.info = probe(path, time_range=time_range, frame_rate=frame_rate)
        self.warnings: list[str] = []
        self.stage_1: dict[int, FrameParse] | None = None  # frame index -> its results, if stage 1 ran before
        self._path, self._time_range, self._progress, self._frame_rate = path, time_range, progress, frame_rate
        self._tracker = Tracker(TrackerConfig())
        inputs = readings([parser.action]) if reads_clips and parser.action is not None else ()
        self._video_clips = [
            VideoClips(config, duration_seconds=self.info.duration_seconds, num_frames=self.info.num_frames)
            for config in inputs
        ]
        self._baseline_sums: SeenFrames | None = None  # of the frames so far; None before the first one
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
        if self.stage_1 is not None:
            parsed = [self.stage_1[frame.index] for frame in frames]
        else:
            parsed = self.parser.parse_frames(frames, self._tracker)
        baseline = self.parser.baseline
        if baseline is None:
            return parsed
        with self.parser.timer("baseline"):
            sums, parsed = baseline.look([frame.image for frame in frames], parsed)
        self._baseline_sums = sums if self._baseline_sums is None else self._baseline_sums + sums
        return parsed

    def __iter__(self) -> Iterator[Closed]:
        reader = read_frames(self._path, time_range=self._time_range, frame_rate=self._frame_rate)
        segments = self._segments()
        start = 0.0
        for frame in self._time_decoding(iter(reader)):
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

    def _time_decoding(self, frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
        while True:
            with self.parser.timer("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def action_scores(self) -> dict[str, float]:
        """Return the probability of each action, from clips of the whole video; call it after the iteration."""
        action, baseline = self.parser.action, self.parser.baseline
        if not self.parser.reads_clips:
            return {}
        with self.parser.timer("action"):
            if baseline is not None:
                assert self._baseline_sums is not None
                return dict(zip(baseline.actions, map(float, baseline.action_scores(self._baseline_sums)), strict=True))
            assert action is not None
            scores = label_scores(action, {clips.config: clips.clips() for clips in self._video_clips})
        return {label[0]: float(score) for label, score in zip(action.labels, scores, strict=True)}


def _expect_device(name: str) -> None:
    """Check that torch can compute on a device.

    Raises:
        ConfigError: there is no such device.
    """
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError):  # AssertionError: torch was built without CUDA
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
