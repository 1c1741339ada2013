"""Parses that say the truth of a SynthTPS split, but for planted errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from actparse.core.structures import FrameParse, PartParse, PersonParse, VideoInfo, VideoParse
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.data.kinetics_tps import KineticsTps, PersonTruth, VideoRecord, read_frame_truth
from actparse.data.submission import EVALUATED_STRIDE
from actparse.synth import dataset
from actparse.synth.dataset import SplitPlan, write_dataset
from plans import plain

NUM_FRAMES = 11  # of each video: the evaluated ones are 0, 5 and 10
SWAPPED_HANDS = {"left_hand": "right_hand", "right_hand": "left_hand"}


def write_short_dataset(root: Path, *, num_videos: int, seed: int) -> Path:
    """A test split of very short videos; the rest is as always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "MIN_FRAMES", NUM_FRAMES)
        patch.setattr(dataset, "MAX_FRAMES", NUM_FRAMES)
        write_dataset(root, plain(SplitPlan("test", num_videos, seed)))
    return root


def write_parses(
    root: Path, out: Path, *, states_of: Mapping[str, str] | None = None, actions: Mapping[str, str] | None = None
) -> Path:
    """Write out/<video>/parse.json for the test split.

    Args:
        root: the dataset.
        out: the folder of parses.
        states_of: part -> the part whose true state it is given; the others have their own.
        actions: video -> action where it is not the true one.
    """
    for record in KineticsTps(root).videos("test"):
        parse = _parse(record, states_of or {}, (actions or {}).get(record.name, record.action))
        (out / record.name).mkdir(parents=True)
        (out / record.name / "parse.json").write_text(parse.to_json(), encoding="utf-8")
    return out


def _parse(record: VideoRecord, states_of: Mapping[str, str], action: str) -> VideoParse:
    frames = tuple(_frame(record, index, states_of) for index in range(0, NUM_FRAMES, EVALUATED_STRIDE))
    video = VideoInfo(str(record.path), 320, 240, NUM_FRAMES, NUM_FRAMES / 10, 10.0)
    return VideoParse(video=video, action=action, action_scores={action: 1.0}, frames=frames, segments=())


def _frame(record: VideoRecord, index: int, states_of: Mapping[str, str]) -> FrameParse:
    persons = read_frame_truth(record.frame_path(index)).persons
    return FrameParse(index, index / 10, tuple(_person(person, states_of) for person in persons))


def _person(person: PersonTruth, states_of: Mapping[str, str]) -> PersonParse:
    own = {name: part.state for name, part in person.parts.items()}
    parts = tuple(
        PartParse(name, part.box, 0.9, own.get(states_of.get(name, name), own[name]), 0.8)
        for name, part in person.parts.items()
    )
    return PersonParse(person.number, person.box, 0.9, ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS, parts)
