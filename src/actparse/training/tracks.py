"""Recipe "tracks": the network on keypoints, from what the pose network finds and from tracks that nobody painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import KEYPOINT_FLIP, PART_FLIP, PARTS
from actparse.metrics.states import StateAccuracy
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.stages.actions.tracks import TrackRecognizer, TracksConfig
from actparse.stages.actions.windows import Keypoints, person_windows, with_floor
from actparse.stages.tracking import Tracker, TrackerConfig
from actparse.synth.actions.registry import OTHER_MOTIONS
from actparse.training.store import Store, states_of_part
from actparse.training.task import NAMES, Batch, Task, TaskSettings
from actparse.training.track_errors import TrackErrors, shortened, spreads, with_legs_of, with_track_errors
from actparse.training.track_stream import TrackStream
from actparse.weights.bundle import config_to_dict

UNKNOWN = -1  # a state that is not annotated, or that the network does not know
STREAM_SHARE = 0.5  # of a batch, where there is a stream
LABEL_SMOOTHING = 0.05
JOINED_SHARE = (
    0.2  # of the stream's people, who get the legs of another one: neither action is done, both are as likely
)
OTHER_WEIGHT = 0.5  # of the loss of a person who does none of the actions
STATES_WEIGHT = 1.0  # of the states' loss beside the action's
UNTOLD_SHARE = 0.25  # of the samples are not told the action
TURN_DEGREES = 6.0  # standard deviation
LOST_SHARE = 0.15  # of found keypoints, and of instants, that are lost besides, at most
FOUND_JITTER = 0.08  # standard deviation of what is added to a found keypoint, in spreads of the person, at most
TEMPO = (0.7, 1.6)  # of the stream's tracks, log-uniform; above 1 is faster
SHORT_SHARE = 0.5  # of the stream's windows that are cut as in a short video


@dataclass(frozen=True)
class Windows:
    """N windows of K instants; what is asked is of the middle one. UNKNOWN where it cannot be said."""

    windows: Keypoints  # (N, K, 17, 3)
    states: NDArray[np.int64]  # (N, 10) as the network numbers them
    actions: NDArray[np.int64]  # (N,)
    seconds: NDArray[np.int64]  # (N,) another action that is as likely; the same one where there is none
    names: NDArray[np.str_]  # (N,) video and frame, or the track, for messages

    def at(self, rows: NDArray[np.int64]) -> Windows:
        """Some rows."""
        return Windows(*(array[rows] for array in astuple(self)))

    def with_windows(self, windows: Keypoints) -> Windows:
        """Other windows of the same people."""
        return replace(self, windows=windows)


class TracksTask(Task):
    """Windows of a store's persons with the keypoints found in them, beside windows of a stream with errors put in."""

    kind = "tracks"
    settings = TaskSettings(batch_size=256, learning_rate=2e-3, weight_decay=0.02)
    metric = "accuracy"

    def __init__(
        self,
        train: tuple[Store, Keypoints],
        held_out: tuple[Store, Keypoints],
        stream: TrackStream | None,
        config: TrackConfig,
        stage: TracksConfig,
    ) -> None:
        """`train` and `held_out`: a split and the keypoints (P, 17, 3) that the pose network found in it.

        Raises:
            DataError: the training split has no annotated person.
        """
        self.stage, self.stream, self.errors = stage, stream, TrackErrors()
        self.held_out = held_out
        store, keypoints = train
        if not len(keypoints):
            raise DataError("tracks: the training split has no annotated person")
        self.actions = tuple(sorted(set(store.actions)))
        self.states = tuple(states_of_part(store, part) for part in range(len(PARTS)))
        counts = tuple(len(states) for states in self.states)
        self.config = replace(config, num_actions=len(self.actions), num_states=counts)
        self.net = TrackNet(self.config)
        self.seen = self._seen_in(store, keypoints)
        self.confidences = self.seen.windows[..., 2]  # (N, K, 17) of the pose network along its tracks
        if stream is not None:
            self._know(stream)

    @property
    def num_samples(self) -> int:
        """Annotated persons of the training split."""
        return len(self.seen.windows)

    def _seen_in(self, store: Store, keypoints: Keypoints) -> Windows:
        """The windows about all persons of a store."""
        windows: list[Keypoints] = []
        states: list[list[int]] = []
        actions: list[int] = []
        names: list[str] = []
        person_frames = store.person_frames  # (P,)
        for video in store_tracks(store, keypoints):
            places, found = person_windows(
                video.frames, num_instants=self.config.num_instants, step_seconds=self.stage.step_seconds
            )
            rows = [video.rows[frame][at] for frame, at in places]
            windows.append(found)
            states += [self._state_numbers(store.part_states[row]) for row in rows]
            actions += [self.actions.index(video.action)] * len(rows)
            names += [store.frame_name(int(frame)) for frame in person_frames[rows]]
        numbers = np.array(actions, np.int64)
        return Windows(np.concatenate(windows), np.array(states, np.int64), numbers, numbers, np.array(names))

    def _state_numbers(self, states: Sequence[str | None]) -> list[int]:
        pairs = zip(states, self.states, strict=True)
        return [known.index(state) if state in known else UNKNOWN for state, known in pairs]

    def _know(self, stream: TrackStream) -> None:
        """Number the stream's words as the network does."""
        numbers = np.array(
            [[known.index(name) if name in known else UNKNOWN for name in stream.state_names] for known in self.states]
        )  # (10, S)
        self.stream_states = numbers[np.arange(len(PARTS)), stream.states]  # (M, T, 10)
        actions = [self.actions.index(a) if a in self.actions else UNKNOWN for a in stream.actions]
        self.stream_actions = np.array(actions, np.int64)  # (M,); UNKNOWN: none of the actions
        self.stream_tracks = np.flatnonzero((self.stream_actions != UNKNOWN) | np.isin(stream.actions, OTHER_MOTIONS))
        self.stream_step = self.stage.step_seconds / stream.config.step_seconds  # instants of the stream

    def batch(self, rng: np.random.Generator) -> Batch:
        """Windows drawn at random."""
        size = self.settings.batch_size
        num_stream = round(size * STREAM_SHARE) if self.stream is not None and len(self.stream_tracks) else 0
        rows = rng.integers(0, len(self.seen.windows), size - num_stream)
        parts = [self.seen.at(rows).with_windows(lost_more(self.seen.windows[rows], rng))]
        if num_stream:
            parts.append(self._from_stream(num_stream, rng))
        drawn = Windows(*(np.concatenate(arrays) for arrays in zip(*map(astuple, parts), strict=True)))
        windows, states = mirrored_windows(drawn.windows, drawn.states, self.states, rng.random(size) < 0.5)
        told = np.eye(len(self.actions), dtype=np.float32)[drawn.actions]
        told[(rng.random(size) < UNTOLD_SHARE) | (drawn.actions == UNKNOWN) | (drawn.actions != drawn.seconds)] = 0
        return {
            "windows": torch.from_numpy(with_floor(turned(windows, rng), self.stage.confidence_floor)),
            "states": torch.from_numpy(states),
            "actions": torch.from_numpy(drawn.actions),
            "seconds": torch.from_numpy(drawn.seconds),
            "told": torch.from_numpy(told),
            NAMES: drawn.names.tolist(),
        }

    def _from_stream(self, count: int, rng: np.random.Generator) -> Windows:
        assert self.stream is not None
        tracks = self.stream_tracks[rng.integers(0, len(self.stream_tracks), count)]
        length, num_instants = self.stream.keypoints.shape[1], self.config.num_instants
        middles = rng.integers(0, length, count)
        tempo = np.exp(rng.uniform(np.log(TEMPO[0]), np.log(TEMPO[1]), count))  # (n,)
        steps = (np.arange(num_instants) - num_instants // 2) * self.stream_step  # (K,)
        instants = middles[:, None] + np.rint(steps * tempo[:, None]).astype(np.int64)  # (n, K)
        exists = (instants >= 0) & (instants < length)
        windows = self.stream.keypoints[tracks[:, None], instants.clip(0, length - 1)]  # (n, K, 17, 3)
        windows[~exists] = 0
        actions, states = self.stream_actions[tracks], self.stream_states[tracks, middles]
        other = rng.permutation(count)
        is_joined = (rng.random(count) < JOINED_SHARE) & (np.minimum(actions, actions[other]) != UNKNOWN)
        is_joined &= actions != actions[other]
        windows[is_joined] = with_legs_of(windows[other[is_joined]], windows[is_joined])
        states[is_joined] = UNKNOWN
        found = shortened(with_track_errors(windows, self.confidences, self.errors, rng), SHORT_SHARE, rng)
        names = np.array([f"track {track} of the stream" for track in tracks])
        return Windows(found, states, actions, np.where(is_joined, actions[other], actions), names)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the action, and the mean over the parts of that of their states.

        Of a person who does none of the actions, all actions should be equally likely; of one with the legs of
        another, both actions.
        """
        assert isinstance(net, TrackNet)
        device = next(net.parameters()).device
        features = net.features(batch["windows"].to(device))  # (N, C)
        states = batch["states"].to(device)  # (N, 10)
        by_part = [
            F.cross_entropy(logits.float(), states[:, part], ignore_index=UNKNOWN, reduction="sum")
            for part, logits in enumerate(net.state_logits(features, batch["told"].to(device)))
        ]
        logits = net.action_logits(features).float()  # (N, A)
        both = torch.stack((batch["actions"], batch["seconds"]), dim=1).to(device)  # (N, 2)
        known = both[:, 0] != UNKNOWN  # (N,)
        targets = F.one_hot(both.clamp(min=0), len(self.actions)).float().mean(dim=1)  # (N, A)
        targets = torch.where(known[:, None], targets, 1 / len(self.actions))
        losses = F.cross_entropy(logits, targets, label_smoothing=LABEL_SMOOTHING, reduction="none")  # (N,)
        return {
            "action": torch.where(known, losses, OTHER_WEIGHT * losses).mean(),
            "states": STATES_WEIGHT * torch.stack(by_part).sum() / (states != UNKNOWN).sum().clamp(min=1),
        }

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Video accuracy of the tracks alone, and accuracy of the states by group, on true persons."""
        assert isinstance(net, TrackNet)
        recognizer = TrackRecognizer(net.to(device).eval(), self.actions, self.states, self.stage)
        store, keypoints = self.held_out
        right, accuracy, videos = 0, StateAccuracy(), store_tracks(store, keypoints)
        for video in videos:
            scores = recognizer.evidence(video.frames).scores()
            right += recognizer.actions[int(scores.argmax())] == video.action
            for frame, rows in zip(recognizer.with_states(video.frames, scores), video.rows, strict=True):
                for person, row in zip(frame.persons, rows, strict=True):
                    for part, true in zip(person.parts, store.part_states[row], strict=True):
                        if true is not None:
                            accuracy.add(part.name, true, part.state)
        return {"accuracy": right / max(len(videos), 1), "videos": len(videos), "states": accuracy.by_group()}

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.tracks."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """The actions, and of each part its states."""
        return {"actions": list(self.actions), "states": list(map(list, self.states))}


@dataclass(frozen=True)
class TrackedVideo:
    """The kept frames of a store's video as a parse of them: true boxes, found keypoints, tracks; no states yet."""

    action: str
    frames: list[FrameParse]
    rows: list[list[int]]  # of the store's persons, by frame


def store_tracks(store: Store, keypoints: Keypoints) -> list[TrackedVideo]:
    """A store's videos with keypoints (P, 17, 3); persons whom the dataset does not tell apart are tracked."""
    videos = []
    for number, action in enumerate(store.actions):
        tracker = Tracker(TrackerConfig())
        frames, rows = [], []
        of_video = np.flatnonzero(store.frame_videos == number)
        is_told = all((store.person_identities[store.persons_of(int(frame))] >= 0).all() for frame in of_video)
        for frame in of_video:
            persons = store.persons_of(int(frame))
            boxes, ids = store.person_boxes[persons], store.person_identities[persons]
            time = float(store.frame_times[frame])
            if not is_told:
                ids = tracker.update(time, boxes, np.ones(len(boxes), np.float32), keypoints[persons])
            found = zip(ids.tolist(), boxes.tolist(), keypoints[persons].tolist(), strict=True)
            people = tuple(_person(*one) for one in found)
            frames.append(FrameParse(int(store.frame_indices[frame]), time, people))
            rows.append(list(range(persons.start, persons.stop)))
        videos.append(TrackedVideo(action, frames, rows))
    return videos


def _person(track: int, box: list[float], keypoints: list[list[float]]) -> PersonParse:
    x1, y1, x2, y2 = box
    points = tuple((x, y, confidence) for x, y, confidence in keypoints)
    parts = tuple(PartParse(name, (x1, y1, x2, y2), 1.0) for name in PARTS)  # only their states are asked for
    return PersonParse(track, (x1, y1, x2, y2), 1.0, points, parts)


def lost_more(windows: Keypoints, rng: np.random.Generator) -> Keypoints:
    """Found keypoints (N, K, 17, 3), some of them and some whole instants lost, so that few are learnt by heart."""
    found = windows.copy()
    rate = rng.random((2, len(windows), 1, 1)) * LOST_SHARE
    is_lost = (rng.random(windows.shape[:3]) < rate[0]) | (rng.random((*windows.shape[:2], 1)) < rate[1])
    found[is_lost, 2] = 0
    jitter = rng.uniform(0, FOUND_JITTER, (len(windows), 1, 1, 1)) * rng.standard_normal((*windows.shape[:3], 2))
    found[..., :2] += (jitter * spreads(windows)).astype(np.float32)
    return found


def turned(windows: Keypoints, rng: np.random.Generator) -> Keypoints:
    """Keypoints (N, K, 17, 3), every window turned in the picture by an angle of its own."""
    angles = np.deg2rad(rng.normal(0, TURN_DEGREES, len(windows)))
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.stack((np.stack((cos, sin), axis=1), np.stack((-sin, cos), axis=1)), axis=1)  # (N, 2, 2)
    points = np.einsum("nkji,nic->nkjc", windows[..., :2], turn)
    return np.concatenate((points, windows[..., 2:]), axis=3).astype(np.float32)


def mirrored_windows(
    windows: Keypoints, states: NDArray[np.int64], known: Sequence[Sequence[str]], which: NDArray[np.bool_]
) -> tuple[Keypoints, NDArray[np.int64]]:
    """Windows (N, K, 17, 3) and states (N, 10); those of `which` (N,) as a mirror shows them, right for left."""
    windows, states = windows.copy(), states.copy()
    flipped = windows[which][:, :, KEYPOINT_FLIP]
    flipped[..., 0] *= -1
    windows[which] = flipped
    other = [[names.index(s) if s in names else UNKNOWN for s in known[PART_FLIP[p]]] for p, names in enumerate(known)]
    seen = states[which]  # (n, 10)
    for part, numbers in enumerate(other):
        twin = seen[:, PART_FLIP[part]]
        states[which, part] = np.where(twin == UNKNOWN, UNKNOWN, np.array(numbers)[twin])
    return windows, states
