"""The parser: it runs the three stages on a video and returns the complete parse."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from actparse import __version__
from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse, VideoParse
from actparse.data.persons_file import PersonsFile, read_persons_file
from actparse.metrics.calibration import Calibration
from actparse.stages.actions.observers import (
    BaselineObserver,
    ClipObserver,
    Observed,
    Observer,
    SegmentScores,
)
from actparse.stages.actions.segments import Progress, read_segments
from actparse.stages.config import ParserConfig
from actparse.stages.loading import StageBundle, load_bundle
from actparse.stages.people.frames import PeopleParser
from actparse.stages.people.second_looks import TiledPersons
from actparse.stages.timing import StageTimer
from actparse.stages.together.decision import decide_action
from actparse.stages.together.explanation import explain
from actparse.stages.together.object_evidence import object_evidence
from actparse.stages.together.states import BaselineStates, ClipStates, StateSource, TrackStates
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.video.decode import TimeRange, probe
from actparse.weights.bundle import config_to_dict

__all__ = ["Observed", "Parser", "ParserConfig", "Progress", "TimeRange"]


class Parser:
    """The complete system: `Parser.load("people").parse("video.mp4")`."""

    def __init__(self, bundle: StageBundle, config: ParserConfig | None = None) -> None:
        self.bundle = bundle
        self.config = config or ParserConfig.from_inference(bundle.inference)
        self.model = {**bundle.model, "actparse": __version__}
        if bundle.calibration != Calibration():
            self.model["calibration"] = json.dumps(config_to_dict(bundle.calibration))
        self.timer = StageTimer()  # seconds of each stage since this parser was built
        persons = TiledPersons(bundle.persons) if self.config.tiles else bundle.persons
        stage_1 = persons, bundle.poses, bundle.parts
        limit = self.config.min_keypoint_confidence
        self.people = PeopleParser(*stage_1, limit, self.timer, bundle.objects)
        self.states = self._state_source(use_tracks=self.config.use_tracks)

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
        try:
            torch.zeros(1, device=name).item()
        except (RuntimeError, AssertionError):  # AssertionError: torch was built without CUDA
            raise ConfigError(f"device must be cpu, or a GPU that torch sees (cuda, cuda:1), got {name!r}") from None
        return cls(load_bundle(weights, device=name), config)

    def parse(
        self,
        video: str | Path,
        *,
        time_range: TimeRange | None = None,
        frame_rate: float | None = None,
        persons: str | Path | None = None,
        progress: Progress | None = None,
    ) -> VideoParse:
        """Parse a video at all three levels.

        Args:
            video: a file that FFmpeg can read, or an image sequence: a folder, or a name such as img_%04d.png.
            time_range: (start, end) in seconds of presentation time; None on either side means no limit.
            frame_rate: frames a second of an image sequence.
            persons: a file of persons that replace the detector's (COCO, parse.json, CSV), see `data.persons_file`.
            progress: called with the number of frames read so far and the number expected.

        Raises:
            VideoError: the file cannot be read as a video, or has no frame in `time_range`.
            DataError: the file of persons is not valid, or not of this video.
        """
        return self.integrate(
            self.observe(video, time_range=time_range, frame_rate=frame_rate, persons=persons, progress=progress)
        )

    def observe(
        self,
        video: str | Path,
        *,
        time_range: TimeRange | None = None,
        frame_rate: float | None = None,
        persons: str | Path | None = None,
        progress: Progress | None = None,
        stage_1: Sequence[FrameParse] | None = None,
    ) -> Observed:
        """Run stages 1 and 2 of `parse`; the other arguments and the errors are the same as there.

        Args:
            stage_1: results of a parser with the same stage 1 for the same frames; stage 1 is then skipped.
        """
        stage_1_by_index = {frame.index: frame for frame in stage_1 or ()}
        given = None if persons is None else _read_persons(Path(persons), Path(video), frame_rate)
        tracker, observer = Tracker(TrackerConfig()), self._observer()
        reader = read_segments(
            Path(video),
            self.config,
            segment_clips=observer.segment_clips,
            video_clips=observer.video_clips,
            timer=self.timer,
            time_range=time_range,
            frame_rate=frame_rate,
            progress=progress,
        )
        frames: list[FrameParse] = []
        segments: list[SegmentScores] = []
        if stage_1 is None:
            parsed = self.people.parse_batches(reader, tracker, given)  # stage 1
        else:
            parsed = ((batch, [stage_1_by_index[frame.index] for frame in batch.sampled]) for batch in reader)
        for batch, people in parsed:
            frames += observer.observe(batch.sampled, people)  # stage 2
            segments += map(observer.score, batch.ended)
            del batch  # its images, before the next ones are decoded
        return Observed(
            info=reader.info,
            frames=tuple(frames),
            segments=tuple(segments),
            clip_scores=observer.action_scores(reader.clips()),
            track_scores=self.states.track_scores(frames),
            half_track_scores=self.states.half_track_scores(frames) if self.bundle.calibration.consistency else (),
            warnings=reader.warnings + (given.warnings_for([f.index for f in frames]) if given is not None else ()),
        )

    def integrate(
        self, observed: Observed, *, use_tracks: bool | None = None, condition_on_action: bool | None = None
    ) -> VideoParse:
        """Run stage 3: choose one action, and a state for every part.

        Args:
            observed: results of stages 1 and 2.
            use_tracks: replaces the value of the config.
            condition_on_action: replaces the value of the config.
        """
        states = self.states if use_tracks is None else self._state_source(use_tracks=use_tracks)
        conditions = self.config.condition_on_action if condition_on_action is None else condition_on_action
        objects = object_evidence(observed.frames, self.bundle.action_of_object)
        has_persons = any(frame.persons for frame in observed.frames)
        evidence = states.action_evidence(observed)
        decision = decide_action(evidence, objects, self.bundle.calibration, has_persons=has_persons)
        action, score, verdict = decision.action, decision.scores[decision.action], decision.verdict
        integrated = states.integrate(observed, action, decision.uncalibrated_scores, condition_on_action=conditions)
        seconds = observed.info.duration_seconds
        return VideoParse(
            video=observed.info,
            action=action,
            action_scores=decision.scores,
            frames=integrated.frames,
            segments=integrated.segments,
            model=self.model,
            warnings=observed.warnings,
            reasons=integrated.reasons if has_persons else (),
            explanation=explain(action, score, integrated.reasons, seconds, verdict=verdict, objects=objects),
            verdict=verdict,
        )

    def stream(self, video: str | Path, *, time_range: TimeRange | None = None) -> Iterator[FrameParse]:
        """Yield the sampled frames of each segment when it ends; states depend only on the video so far.

        Raises:
            VideoError: as for `parse`.
        """
        tracker, observer = Tracker(TrackerConfig()), self._observer() if self.states.follows_clips else Observer()
        follow = self.states.follow(condition_on_action=self.config.condition_on_action)
        clips, path = observer.segment_clips, Path(video)
        waiting: deque[FrameParse] = deque()  # frames of segments that have not ended
        reader = read_segments(path, self.config, segment_clips=clips, timer=self.timer, time_range=time_range)
        for batch, people in self.people.parse_batches(reader, tracker):
            waiting += observer.observe(batch.sampled, people)
            for segment in map(observer.score, batch.ended):
                count = sum(frame.index < segment.segment.end_frame for frame in waiting)
                yield from follow([waiting.popleft() for _ in range(count)], segment)

    def _observer(self) -> Observer:
        """Build stage 2 for one video."""
        bundle = self.bundle
        if bundle.baseline is not None:
            return BaselineObserver(bundle.baseline, self.timer)
        if bundle.action is not None and bundle.states is not None:
            return ClipObserver(bundle.action, bundle.states, self.timer)
        return Observer()

    def _state_source(self, *, use_tracks: bool) -> StateSource:
        """Choose what gives states in stage 3.

        Raises:
            ConfigError: without tracks nothing in the bundle gives states, or clips along tracks are asked for frames.
        """
        bundle = self.bundle
        if use_tracks and bundle.tracks is not None:
            return TrackStates(bundle.tracks, bundle.shares, bundle.labels, self.timer)
        if bundle.baseline is not None:
            return BaselineStates()
        if bundle.action is None:
            name = bundle.model["weights"]
            raise ConfigError(
                f"use_tracks must be True with the weights {name!r}, which have no clip networks, got False"
            )
        if bundle.states is not None and bundle.states.along_tracks and self.config.level == "frame":
            raise ConfigError("level must be 'segment' for clips along tracks, got 'frame'")
        return ClipStates(bundle.labels)


def _read_persons(path: Path, video: Path, frame_rate: float | None) -> PersonsFile:
    info = probe(video, frame_rate=frame_rate)
    return read_persons_file(path, num_frames=info.num_frames, size=(info.height, info.width), video=video.stem)
