"""Simulated person tracks without rendering: joints and states, for the network on keypoints.

Simulating a scene costs a hundredth of rendering it. The errors of a pose network are added during training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actparse.core.progress import Report, discard_line
from actparse.core.ranges import Count, Positive, Share, expect_ranges
from actparse.core.vocabulary import NUM_KEYPOINTS, PARTS
from actparse.synth.actions.registry import ACTIONS, OTHER_MOTIONS
from actparse.synth.casting import build_cast
from actparse.synth.config import VIDEO_PRESETS, SceneConfig
from actparse.training.rendered.stream import SEED, Arrays, ShardedStream, load_array

GENERATION = 6  # of the stream; another value creates it again
SPLIT_CODE = 9_001  # different from the codes of a dataset's splits and of the other streams
HELD_OUT_MOTIONS = ("running", "sitting_down", "waving", "cycling", "jumping_jacks", "talking")  # for calibration
LEARNT_MOTIONS = tuple(motion for motion in OTHER_MOTIONS if motion not in HELD_OUT_MOTIONS)
FILMED = replace(VIDEO_PRESETS["train"], sizes=(), body="mesh", cut_share=0.0)  # a cut would end a track
FILMED_SHARE = 0.5  # of the scenes with people of all ages and cameras as in videos; the others are steadier
MIN_INSIDE = 6  # keypoints of a person inside the frame, in at least one instant


@dataclass(frozen=True, kw_only=True)
class TrackStreamConfig:
    """Settings for simulating a stream of tracks."""

    seconds: Positive = 11.0  # length of a track
    step_seconds: Positive = 0.125  # from one instant to the next
    other_share: Share = 0.15  # share of the scenes whose main person does none of the actions
    scenes_per_shard: Count = 90

    def __post_init__(self) -> None:
        expect_ranges(self, "stream.")

    @property
    def num_instants(self) -> int:
        """Number of instants in a track."""
        return int(self.seconds / self.step_seconds) + 1


@dataclass(frozen=True)
class TrackStream:
    """M tracks of T instants; `states` are indices of `state_names`."""

    keypoints: NDArray[np.float32]  # (M, T, 17, 3) x, y in pixels, 1 inside the frame and 0 outside
    states: NDArray[np.int16]  # (M, T, 10)
    actions: tuple[str, ...]  # (M,) action of the scene, also for bystanders; some are from OTHER_MOTIONS
    state_names: tuple[str, ...]
    config: TrackStreamConfig


class ShardTracks(NamedTuple):
    """The tracks of one shard; `states` are indices of its own `state_names`."""

    keypoints: NDArray[np.float32]
    states: NDArray[np.int16]
    actions: list[str]
    state_names: list[str]


def open_track_stream(
    folder: Path, num_scenes: int, config: TrackStreamConfig, *, report: Report = discard_line
) -> TrackStream:
    """Open the tracks of the first `num_scenes` scenes, as `ShardedStream.open` does."""
    settings = f"{config.seconds:g}-{config.step_seconds:g}-{config.other_share:g}-{config.scenes_per_shard}"
    stream = ShardedStream(
        folder=folder / f"tracks-{GENERATION}-{SEED}-{settings}",
        config=config,
        code=SPLIT_CODE,
        shard_size=config.scenes_per_shard,
        unit="scenes",
        render=render_tracks,
        read=read_tracks,
    )
    shards = stream.open(num_scenes, report=report)
    names = tuple(sorted({name for shard in shards for name in shard.state_names}))
    states = [np.array([names.index(name) for name in shard.state_names], np.int16)[shard.states] for shard in shards]
    return TrackStream(
        keypoints=np.concatenate([shard.keypoints for shard in shards]),
        states=np.concatenate(states),
        actions=tuple(action for shard in shards for action in shard.actions),
        state_names=names,
        config=config,
    )


def read_tracks(shard: Path, config: TrackStreamConfig) -> ShardTracks:
    """Read the tracks of one shard."""
    words = json.loads(str(load_array(shard, "words")))
    keypoints, states = load_array(shard, "keypoints"), load_array(shard, "states")
    actions, names = [str(name) for name in words["actions"]], [str(name) for name in words["states"]]
    if len({len(keypoints), len(states), len(actions)}) > 1:
        raise ValueError(f"{len(keypoints)} tracks, {len(states)} of states, {len(actions)} of actions")
    if states.size and not 0 <= states.min() <= states.max() < len(names):
        raise ValueError(f"indices of states beyond {len(names)}")
    return ShardTracks(keypoints, states, actions, names)


def render_tracks(rng: np.random.Generator, index: int, config: TrackStreamConfig) -> Arrays:
    """Simulate one shard; the actions alternate."""
    keypoints: list[NDArray[np.float32]] = []
    states: list[list[list[str]]] = []
    actions: list[str] = []
    for scene in range(index * config.scenes_per_shard, (index + 1) * config.scenes_per_shard):
        action = ACTIONS[scene % len(ACTIONS)]
        if rng.random() < config.other_share:
            action = LEARNT_MOTIONS[rng.integers(len(LEARNT_MOTIONS))]
        for track_keypoints, track_states in scene_tracks(rng, action, config):
            keypoints.append(track_keypoints)
            states.append(track_states)
            actions.append(action)
    names = sorted({state for track in states for instant in track for state in instant})
    position = {name: index for index, name in enumerate(names)}
    return {
        "keypoints": np.stack(keypoints),
        "states": np.array([[[position[s] for s in instant] for instant in track] for track in states], np.int16),
        "words": np.array(json.dumps({"actions": actions, "states": names})),
    }


def scene_tracks(
    rng: np.random.Generator, action: str, config: TrackStreamConfig
) -> list[tuple[NDArray[np.float32], list[list[str]]]]:
    """Simulate a random scene; return each person's keypoints (T, 17, 3) and by instant the states of the ten parts."""
    scene = FILMED if rng.random() < FILMED_SHARE else SceneConfig()
    cast = build_cast(int(rng.integers(2**62)), action, config=scene)
    times = rng.uniform(0, config.step_seconds) + np.arange(config.num_instants) * config.step_seconds
    height, width = scene.size
    keypoints = np.zeros((len(cast.actors), config.num_instants, NUM_KEYPOINTS, 3), np.float32)
    states: list[list[list[str]]] = [[] for _ in cast.actors]
    for instant, time in enumerate(times):
        points, states_by_person = cast.keypoints(float(time))  # (N, 17, 2)
        inside = ((points >= 0) & (points < (width, height))).all(axis=2, keepdims=True)  # (N, 17, 1)
        keypoints[:, instant] = np.concatenate((points, inside), axis=2)
        for person, states_by_part in enumerate(states_by_person):
            states[person].append([states_by_part[part] for part in PARTS])
    is_visible = keypoints[..., 2].sum(axis=2).max(axis=1) >= MIN_INSIDE  # (N,)
    return [(keypoints[person], states[person]) for person in np.flatnonzero(is_visible)]
