"""Stage 2 on one video, with networks that see pixels: the action of the video, the states in its segments.

A bundle has networks on clips, or the official baseline on sampled frames, or only a network on the persons' tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from actparse.core.structures import FrameParse, SegmentParse, VideoInfo
from actparse.stages.actions.baseline import BaselineRecognizer
from actparse.stages.actions.classifier import (
    Classifier,
    ClipConfig,
    Clips,
    StateRecognizer,
    clip_samplings,
    label_scores,
)
from actparse.stages.actions.person_clips import PersonClips
from actparse.stages.actions.segments import ClippedSegment
from actparse.stages.timing import StageTimer
from actparse.video.decode import DecodedFrame

GroupScores = dict[str, NDArray[np.float32]]  # group -> (num_labels,) probabilities


@dataclass(frozen=True)
class SegmentScores:
    """A segment with the scores of its networks; stage 3 adds the states."""

    segment: SegmentParse
    group_scores: GroupScores  # empty without networks on clips
    track_scores: Mapping[int, GroupScores] = field(default_factory=dict)  # by track; empty if its persons share states


@dataclass(frozen=True)
class Observed:
    """The results of stages 1 and 2 for a video, before stage 3 combines them."""

    info: VideoInfo
    frames: tuple[FrameParse, ...]  # without states, except from the baseline
    segments: tuple[SegmentScores, ...]
    clip_scores: dict[str, float]  # action -> probability, from clips of the whole video; empty without such a network
    track_scores: dict[str, float]  # the same from the persons' tracks; empty if tracks are not used
    warnings: tuple[str, ...]
    half_track_scores: tuple[dict[str, float], ...] = ()  # of both halves, if the calibration uses them


class Observer:
    """Stage 2 on one video. This base class processes no pixels: action and states come from the persons' tracks."""

    segment_clips: tuple[ClipConfig, ...] = ()  # how segments are cut into the clips that `score` needs
    video_clips: tuple[ClipConfig, ...] = ()  # how the video is cut into the clips that `action_scores` needs

    def observe(self, sampled: Sequence[DecodedFrame], frames: list[FrameParse]) -> list[FrameParse]:
        """Process the next sampled frames with their persons; return them, with states if these frames suffice."""
        return frames

    def score(self, segment: ClippedSegment) -> SegmentScores:
        """Return the probabilities of a segment's labels."""
        return SegmentScores(segment.segment, {})

    def action_scores(self, clips: Clips) -> dict[str, float]:
        """Return the probability of each action, 0..1, at the end of the video, from its clips; empty if unknown."""
        return {}


class ClipObserver(Observer):
    """Observes clips: one network recognises the action of the video, six recognise the states in a segment."""

    def __init__(self, action: Classifier, states: StateRecognizer, timer: StageTimer) -> None:
        self._action, self._states, self._timer = action, states, timer
        self.segment_clips = () if states.along_tracks else states.samplings
        self._person_clips = [PersonClips(sampling) for sampling in states.samplings if sampling.along_tracks]
        self.video_clips = clip_samplings([action])

    def observe(self, sampled: Sequence[DecodedFrame], frames: list[FrameParse]) -> list[FrameParse]:
        """Cut the persons out for clips along their tracks, if the networks need these."""
        if self._person_clips:
            with self._timer("clips"):
                for image, frame in zip(sampled, frames, strict=True):
                    for clips in self._person_clips:
                        clips.add(image.image, frame)
        return frames

    def score(self, segment: ClippedSegment) -> SegmentScores:
        """Run the networks of all part groups on a segment's clips, or on those of each track in it."""
        with self._timer("states"):
            if not self._person_clips:
                return SegmentScores(segment.segment, self._states.scores(segment.clips))
            taken = {clips.config: clips.take() for clips in self._person_clips}
            tracks = next(iter(taken.values()))
            by_track = {
                track: self._states.scores({config: clips[track] for config, clips in taken.items()})
                for track in tracks
            }
        groups = self._states.classifiers if by_track else ()
        means = {group: np.mean([scores[group] for scores in by_track.values()], axis=0) for group in groups}
        return SegmentScores(segment.segment, means, by_track)

    def action_scores(self, clips: Clips) -> dict[str, float]:
        """Run the action network on the clips of the video."""
        with self._timer("action"):
            scores = label_scores(self._action, clips)
        return {label[0]: float(score) for label, score in zip(self._action.labels, scores, strict=True)}


class BaselineObserver(Observer):
    """Observes sampled frames with the official baseline, which gives the action and each person's states."""

    def __init__(self, recognizer: BaselineRecognizer, timer: StageTimer) -> None:
        self._recognizer, self._timer = recognizer, timer
        self._sums = recognizer.no_frames

    def observe(self, sampled: Sequence[DecodedFrame], frames: list[FrameParse]) -> list[FrameParse]:
        """Return the frames with states, and keep the sums of their features for the action."""
        with self._timer("baseline"):
            sums, with_states = self._recognizer.look([frame.image for frame in sampled], frames)
        self._sums += sums
        return with_states

    def action_scores(self, clips: Clips) -> dict[str, float]:
        """Recognise the action from the features of all frames."""
        with self._timer("action"):
            return self._recognizer.by_action(self._sums)
