"""Recipe "tracks": the network on keypoints, trained on predicted keypoints and on simulated tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.ranges import Count, Factors, NotNegative, Positive, Share
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import KEYPOINT_FLIP, PART_FLIP, PARTS
from actparse.data.frames.store import Store
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.tracks import TrackRecognizer, TracksConfig
from actparse.stages.actions.windows import Keypoints, person_windows, with_floor
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.synth.actions.registry import OTHER_MOTIONS
from actparse.synth.dataset import is_synthetic
from actparse.synth.track_errors import TrackErrors, shortened, spreads, with_track_errors
from actparse.training.options import TrainOptions
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Inputs, OneCycle
from actparse.training.recipes.parts import with_keypoints
from actparse.training.recipes.states import (
    UNKNOWN,
    StatesTask,
    VideoMetrics,
    state_indices,
    states_loss,
    true_person,
)
from actparse.training.rendered.track_stream import TrackStream, TrackStreamConfig, open_track_stream
from actparse.training.samples.splits import cache_folder, open_stores
from actparse.training.task import NAMES, Batch, Task

TURN_DEGREES = 6.0  # standard deviation
LOST_SHARE = 0.15  # highest share of predicted keypoints, and of instants, that are removed
FOUND_JITTER = 0.08  # highest standard deviation of the noise on predicted keypoints, in spreads of the person


@dataclass(frozen=True, kw_only=True)
class TinyTracks(OneCycle):
    """Hyperparameters of the network on keypoints."""

    needs: ClassVar[tuple[str, ...]] = ("poses",)

    batch_size: Count = 256
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.02
    stream_share: Share = 0.5  # share of a batch from the stream, if there is one
    label_smoothing: Share = 0.05
    other_weight: NotNegative = 0.5  # weight of the loss of a person who does none of the actions
    states_weight: NotNegative = 1.0  # weight of the states' loss relative to the action's
    unconditioned_share: Share = 0.25  # share of the samples for which the network does not get the action
    tempo: Factors = (0.7, 1.6)  # speed factor of the stream's tracks, log-uniform; above 1 is faster
    short_share: Share = 0.5  # share of the stream's windows that are cut as in a short video
    net_config: TrackConfig = tiny.TRACKS_NET
    stage_config: TracksConfig = tiny.TRACKS_STAGE

    def build(self, inputs: Inputs) -> Task:
        """Build the task on keypoints of the run's pose network, and on simulated tracks for a SynthTPS dataset."""
        splits = open_stores(inputs.data, inputs.run.out, inputs.options)
        stream = open_tracks(inputs.data, inputs.run.out, inputs.options)
        return TracksTask(*with_keypoints(splits, inputs), stream, self)


def open_tracks(data: Path, out: Path, options: TrainOptions) -> TrackStream | None:
    """Open the simulated tracks that complement a SynthTPS dataset; return None for other datasets."""
    if not is_synthetic(data) or not options.stream_tracks:
        return None
    folder, config = cache_folder(data, out), TrackStreamConfig()
    return open_track_stream(folder, options.stream_tracks, config, report=options.report)


@dataclass(frozen=True)
class Windows:
    """N windows of K instants, with the labels of the middle instant; UNKNOWN where there is no label."""

    windows: Keypoints  # (N, K, 17, 3)
    states: NDArray[np.int64]  # (N, 10) indices of the network's labels
    actions: NDArray[np.int64]  # (N,)
    names: NDArray[np.str_]  # (N,) video and frame, or track, for messages

    def at(self, indices: NDArray[np.int64]) -> Windows:
        """Return the windows at `indices`."""
        return Windows(*(array[indices] for array in astuple(self)))


class TracksTask(StatesTask):
    """The network on keypoints, on windows of a store's persons and on windows of a stream with artificial errors."""

    kind = "tracks"

    def __init__(
        self,
        train: tuple[Store, Keypoints],
        held_out: tuple[Store, Keypoints],
        stream: TrackStream | None,
        hyperparameters: TinyTracks,
    ) -> None:
        """Build the network; `train` and `held_out` are splits with predicted keypoints (P, 17, 3).

        Raises:
            DataError: the training split has no annotated person.
        """
        self.hyperparameters, self.settings = hyperparameters, hyperparameters.settings()
        self.stage, self.stream, self.errors = hyperparameters.stage_config, stream, TrackErrors()
        self.held_out = held_out
        store, keypoints = train
        if not len(keypoints):
            raise DataError("tracks: the training split has no annotated person")
        self.actions = tuple(sorted(set(store.actions)))
        self.states = tuple(store.states_of_part(part) for part in range(len(PARTS)))
        counts = tuple(len(states) for states in self.states)
        self.config = replace(hyperparameters.net_config, num_actions=len(self.actions), num_states=counts)
        self.net = TrackNet(self.config)
        self.store_windows = self._windows_of_store(store, keypoints)
        self.confidences = self.store_windows.windows[..., 2]  # (N, K, 17) of the pose network along its tracks
        if stream is not None:
            self._index_stream(stream)

    @property
    def num_samples(self) -> int:
        """Number of annotated persons in the training split."""
        return len(self.store_windows.windows)

    def _windows_of_store(self, store: Store, keypoints: Keypoints) -> Windows:
        """Return the windows around all persons of a store."""
        windows: list[Keypoints] = []
        states: list[NDArray[np.int64]] = []
        actions: list[int] = []
        names: list[str] = []
        person_frames = store.person_frames  # (P,)
        for video in store_tracks(store, keypoints):
            positions, video_windows = person_windows(
                video.frames, num_instants=self.config.num_instants, step_seconds=self.stage.step_seconds
            )
            persons = [video.persons[frame].start + position for frame, position in positions]
            windows.append(video_windows)
            names_of_states = [store.state_names(slice(person, person + 1))[0] for person in persons]
            states.append(state_indices(names_of_states, self.states, mirror=False))
            actions += [self.actions.index(video.action)] * len(persons)
            names += [store.frame_name(int(frame)) for frame in person_frames[persons]]
        return Windows(np.concatenate(windows), np.concatenate(states), np.array(actions, np.int64), np.array(names))

    def _index_stream(self, stream: TrackStream) -> None:
        """Convert the stream's states and actions to indices of the network's labels."""
        indices = np.array(
            [[names.index(name) if name in names else UNKNOWN for name in stream.state_names] for names in self.states]
        )  # (10, S)
        self.stream_states = indices[np.arange(len(PARTS)), stream.states]  # (M, T, 10)
        actions = [self.actions.index(a) if a in self.actions else UNKNOWN for a in stream.actions]
        self.stream_actions = np.array(actions, np.int64)  # (M,); UNKNOWN for none of the actions
        self.stream_tracks = np.flatnonzero((self.stream_actions != UNKNOWN) | np.isin(stream.actions, OTHER_MOTIONS))
        self.stream_step = self.stage.step_seconds / stream.config.step_seconds  # in instants of the stream

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw windows at random from the store and the stream."""
        size = self.settings.batch_size
        num_stream = (
            round(size * self.hyperparameters.stream_share)
            if self.stream is not None and len(self.stream_tracks)
            else 0
        )
        indices = rng.integers(0, len(self.store_windows.windows), size - num_stream)
        chosen = self.store_windows.at(indices)
        sources = [replace(chosen, windows=lost_more(chosen.windows, rng))]
        if num_stream:
            sources.append(self._from_stream(num_stream, rng))
        drawn = Windows(*(np.concatenate(arrays) for arrays in zip(*map(astuple, sources), strict=True)))
        windows, states = mirrored_windows(drawn.windows, drawn.states, self.states, rng.random(size) < 0.5)
        given_actions = np.eye(len(self.actions), dtype=np.float32)[drawn.actions]  # (N, A)
        given_actions[(rng.random(size) < self.hyperparameters.unconditioned_share) | (drawn.actions == UNKNOWN)] = 0
        return {
            "windows": torch.from_numpy(with_floor(turned(windows, rng), self.stage.confidence_floor)),
            "states": torch.from_numpy(states),
            "actions": torch.from_numpy(drawn.actions),
            "given_actions": torch.from_numpy(given_actions),
            NAMES: drawn.names.tolist(),
        }

    def _from_stream(self, count: int, rng: np.random.Generator) -> Windows:
        assert self.stream is not None
        tracks = self.stream_tracks[rng.integers(0, len(self.stream_tracks), count)]
        length, num_instants = self.stream.keypoints.shape[1], self.config.num_instants
        middles = rng.integers(0, length, count)
        tempo = np.exp(
            rng.uniform(np.log(self.hyperparameters.tempo[0]), np.log(self.hyperparameters.tempo[1]), count)
        )  # (n,)
        steps = (np.arange(num_instants) - num_instants // 2) * self.stream_step  # (K,)
        instants = middles[:, None] + np.rint(steps * tempo[:, None]).astype(np.int64)  # (n, K)
        exists = (instants >= 0) & (instants < length)
        windows = self.stream.keypoints[tracks[:, None], instants.clip(0, length - 1)]  # (n, K, 17, 3)
        windows[~exists] = 0
        actions, states = self.stream_actions[tracks], self.stream_states[tracks, middles]
        noisy = shortened(
            with_track_errors(windows, self.confidences, self.errors, rng), self.hyperparameters.short_share, rng
        )
        names = np.array([f"track {track} of the stream" for track in tracks])
        return Windows(noisy, states, actions, names)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the action, and the mean cross-entropy of the states of all annotated parts.

        For a person who does none of the actions, all actions should be equally likely.
        """
        assert isinstance(net, TrackNet)
        device = next(net.parameters()).device
        features = net.features(batch["windows"].to(device))  # (N, C)
        states = batch["states"].to(device)  # (N, 10)
        part_logits = net.state_logits(features, batch["given_actions"].to(device))
        logits = net.action_logits(features).float()  # (N, A)
        actions = batch["actions"].to(device)
        has_action = actions != UNKNOWN  # (N,)
        targets = F.one_hot(actions.clamp(min=0), len(self.actions)).float()  # (N, A)
        targets = torch.where(has_action[:, None], targets, 1 / len(self.actions))
        losses = F.cross_entropy(
            logits, targets, label_smoothing=self.hyperparameters.label_smoothing, reduction="none"
        )  # (N,)
        return {
            "action": torch.where(has_action, losses, self.hyperparameters.other_weight * losses).mean(),
            "states": self.hyperparameters.states_weight * states_loss(part_logits, states),
        }

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the video accuracy of the tracks only, and state accuracy by part group, on true persons."""
        assert isinstance(net, TrackNet)
        recognizer = TrackRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        store, keypoints = self.held_out
        metrics = VideoMetrics()
        for video in store_tracks(store, keypoints):
            scores = recognizer.evidence(video.frames).scores()
            is_right = recognizer.actions[int(scores.argmax())] == video.action
            parses = recognizer.with_states(video.frames, scores)
            metrics.add(is_right, parses, [store.state_names(persons) for persons in video.persons])
        return metrics.as_json()


@dataclass(frozen=True)
class TrackedVideo:
    """The frames of a store's video as parse results: true boxes, predicted keypoints and tracks; no states yet."""

    action: str
    frames: list[FrameParse]
    persons: list[slice]  # of the store, by frame


def store_tracks(store: Store, keypoints: Keypoints) -> list[TrackedVideo]:
    """Convert a store's videos with keypoints (P, 17, 3) to tracks; persons without identities are tracked."""
    videos = []
    for video, action in enumerate(store.actions):
        tracker = Tracker(TrackerConfig())
        frames, person_slices = [], []
        video_frames = store.frames_of(video)
        has_identities = all((store.person_identities[store.persons_of(f)] >= 0).all() for f in video_frames)
        for frame in video_frames:
            persons = store.persons_of(frame)
            boxes, ids = store.person_boxes[persons], store.person_identities[persons]
            time = float(store.frame_times[frame])
            if not has_identities:
                ids = tracker.update(time, boxes, np.ones(len(boxes), np.float32), keypoints[persons])
            parts = np.repeat(boxes[:, None], len(PARTS), axis=1)  # only their states are used
            columns = zip(ids.tolist(), boxes.tolist(), parts, keypoints[persons].tolist(), strict=True)
            people = tuple(true_person(*values) for values in columns)
            frames.append(FrameParse(int(store.frame_indices[frame]), time, people))
            person_slices.append(persons)
        videos.append(TrackedVideo(action, frames, person_slices))
    return videos


def lost_more(windows: Keypoints, rng: np.random.Generator) -> Keypoints:
    """Remove some predicted keypoints (N, K, 17, 3) and whole instants, and add noise, against overfitting."""
    changed = windows.copy()
    rate = rng.random((2, len(windows), 1, 1)) * LOST_SHARE
    is_removed = (rng.random(windows.shape[:3]) < rate[0]) | (rng.random((*windows.shape[:2], 1)) < rate[1])
    changed[is_removed, 2] = 0
    jitter = rng.uniform(0, FOUND_JITTER, (len(windows), 1, 1, 1)) * rng.standard_normal((*windows.shape[:3], 2))
    changed[..., :2] += (jitter * spreads(windows)).astype(np.float32)
    return changed


def turned(windows: Keypoints, rng: np.random.Generator) -> Keypoints:
    """Rotate every window of keypoints (N, K, 17, 3) in the image by a separate random angle."""
    angles = np.deg2rad(rng.normal(0, TURN_DEGREES, len(windows)))
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.stack((np.stack((cos, sin), axis=1), np.stack((-sin, cos), axis=1)), axis=1)  # (N, 2, 2)
    points = np.einsum("nkji,nic->nkjc", windows[..., :2], turn)
    return np.concatenate((points, windows[..., 2:]), axis=3).astype(np.float32)


def mirrored_windows(
    windows: Keypoints, states: NDArray[np.int64], state_names: Sequence[Sequence[str]], selected: NDArray[np.bool_]
) -> tuple[Keypoints, NDArray[np.int64]]:
    """Mirror the windows (N, K, 17, 3) and states (N, 10) that are `selected` (N,), swapping left and right."""
    windows, states = windows.copy(), states.copy()
    flipped = windows[selected][:, :, KEYPOINT_FLIP]
    flipped[..., 0] *= -1
    windows[selected] = flipped
    old_states = states[selected]  # (n, 10)
    for part, names in enumerate(state_names):
        indices = [names.index(name) if name in names else UNKNOWN for name in state_names[PART_FLIP[part]]]
        other_side = old_states[:, PART_FLIP[part]]
        states[selected, part] = np.where(other_side == UNKNOWN, UNKNOWN, np.array(indices)[other_side])
    return windows, states
