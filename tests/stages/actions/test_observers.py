"""Stage 2 on one video: networks on clips, the baseline, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.core.structures import FrameParse, SegmentParse
from actparse.stages.actions.observers import BaselineObserver, ClipObserver, Observer
from actparse.stages.actions.segments import ClippedSegment
from actparse.stages.loading import load_bundle
from actparse.stages.timing import StageTimer
from actparse.video.decode import DecodedFrame
from bundles import ACTIONS, CLIPS, write_random_baseline

SEGMENT = SegmentParse(0.0, 1.0, 0, 10)
FRAMES = [FrameParse(0, 0.0, ())]


def test_clips_give_scores_of_segments_and_of_the_action(random_bundle: Path) -> None:
    bundle, timer = load_bundle(random_bundle), StageTimer()
    assert bundle.action is not None
    assert bundle.states is not None
    observer = ClipObserver(bundle.action, bundle.states, timer)
    assert observer.segment_clips == observer.video_clips == (CLIPS,)
    clips = {CLIPS: np.zeros((2, 4, 32, 40, 3), np.uint8)}
    scored = observer.score(ClippedSegment(SEGMENT, clips))
    assert scored.segment == SEGMENT
    assert set(scored.group_scores) == {"head", "arm", "hand", "hip", "leg", "foot"}
    assert sum(observer.action_scores(clips).values()) == pytest.approx(1, abs=1e-5)
    assert observer.observe([], FRAMES) == FRAMES
    assert set(timer.seconds) == {"states", "action"}


def test_the_baseline_adds_up_the_frames(random_bundle: Path, tmp_path: Path) -> None:
    bundle, timer = load_bundle(write_random_baseline(tmp_path / "bundle", random_bundle)), StageTimer()
    assert bundle.baseline is not None
    observer = BaselineObserver(bundle.baseline, timer)
    assert (observer.segment_clips, observer.video_clips) == ((), ())
    assert observer.action_scores({}) == pytest.approx(dict.fromkeys(ACTIONS, 0.5))
    images = [np.random.default_rng(n).integers(0, 255, (48, 64, 3), dtype=np.uint8) for n in range(2)]
    for index, image in enumerate(images):
        observer.observe([DecodedFrame(index, index / 2, image)], [FrameParse(index, index / 2, ())])
    together, _ = bundle.baseline.recognize(images, [FrameParse(n, n / 2, ()) for n in range(2)])
    assert observer.action_scores({}) == pytest.approx(together, abs=1e-3)  # sums in bfloat16 differ with the batch
    assert observer.score(ClippedSegment(SEGMENT, {})).group_scores == {}
    assert set(timer.seconds) == {"baseline", "action"}


def test_without_networks_that_see_pixels_nothing_is_scored() -> None:
    observer = Observer()
    assert observer.observe([], FRAMES) == FRAMES
    assert observer.score(ClippedSegment(SEGMENT, {})).group_scores == {}
    assert observer.action_scores({}) == {}
