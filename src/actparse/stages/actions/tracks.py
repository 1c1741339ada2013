"""Stage 2 for each person: the action and every part's state, from the keypoints along the person's track.

The paper gives all persons of a segment one state of each part (`stages.actions`). Here each person of each sampled
frame has states of their own, and what all tracks say of the action joins what the clips say. This is no part of PCF.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import PART_INDEX
from actparse.nets.tracks import TrackNet
from actparse.stages.actions.windows import person_windows, with_floor
from actparse.stages.precision import inference


@dataclass(frozen=True, kw_only=True)
class TracksConfig:
    """How tracks are read."""

    step_seconds: float = 0.5  # from one instant of a window to the next
    action_share: float = 0.8  # of the video's action scores; the rest is what the clips say
    confidence_floor: float = 0.0  # a keypoint that was found counts as at least that sure

    def __post_init__(self) -> None:
        if not self.step_seconds > 0:
            raise ConfigError(f"tracks.step_seconds must be greater than 0, got {self.step_seconds}")
        for name in ("action_share", "confidence_floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"tracks.{name} must be 0..1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Evidence:
    """What tracks say of the action: probabilities (A,) summed over persons and frames, each as it weighs."""

    sums: NDArray[np.float64]
    weight: float = 0.0  # of all together

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.sums + other.sums, self.weight + other.weight)

    def scores(self) -> NDArray[np.float32]:
        """Mean probabilities (A,), which sum to 1; all alike without any evidence."""
        if self.weight <= 0:
            return np.full(len(self.sums), 1 / len(self.sums), np.float32)
        return np.asarray(self.sums / self.weight, np.float32)


@dataclass(frozen=True)
class TrackReadings:
    """What the network says of N persons in their frames, track by track."""

    places: tuple[tuple[int, int], ...]  # (N,) number of the frame, place of the person in it
    weights: NDArray[np.float64]  # (N,) how much each counts for the video's action
    action_scores: NDArray[np.float32]  # (N, A)
    state_scores: tuple[NDArray[np.float32], ...]  # of each of the ten parts (N, S)


class TrackRecognizer:
    """A network on keypoints with its labels: sampled frames in, the action's evidence and each person's states out."""

    def __init__(
        self,
        net: TrackNet,
        actions: Sequence[str],
        states: Sequence[Sequence[str]],
        config: TracksConfig,
        *,
        max_batch: int = 512,
    ) -> None:
        """`states`: of each of the ten parts, in the order of the network's outputs."""
        self.net = net
        self.actions = tuple(actions)
        self.states = tuple(map(tuple, states))
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    @property
    def no_evidence(self) -> Evidence:
        """What is known of the action before anything was seen: all are alike."""
        return Evidence(np.zeros(len(self.actions)))

    @property
    def reach_seconds(self) -> float:
        """How far a window reaches before and after its middle."""
        return self.net.config.num_instants // 2 * self.config.step_seconds

    def evidence(self, frames: Sequence[FrameParse], *, first: int = 0) -> Evidence:
        """What the persons of `frames[first:]` say of the action; the frames before lend their part of the tracks."""
        total = self.no_evidence
        for rows, features in self._features(frames, first):
            with inference(self.device, full_precision=True):
                scores = self.net.action_logits(features).softmax(dim=1).cpu().numpy()  # (n, A)
            weights = np.array([person_weight(frames[frame], person) for frame, person in rows])  # (n,)
            total += Evidence(weights @ scores, float(weights.sum()))
        return total

    def with_states(
        self, frames: Sequence[FrameParse], action_scores: NDArray[np.float32], *, first: int = 0
    ) -> list[FrameParse]:
        """`frames[first:]` with a state on every part of every person.

        Args:
            frames: sampled frames of one video, in the order of time, with track ids.
            action_scores: (A,) probabilities of what the video shows.
            first: the frames before lend their part of the tracks.
        """
        return self.named(frames, self.read(frames, action_scores, first=first), first=first)

    def read(
        self, frames: Sequence[FrameParse], action_scores: NDArray[np.float32], *, first: int = 0
    ) -> TrackReadings:
        """All that the network says of the persons of `frames[first:]`; the arguments are those of `with_states`."""
        told = torch.from_numpy(np.asarray(action_scores, np.float32)).to(self.device)  # (A,)
        places: list[tuple[int, int]] = []
        actions = [np.zeros((0, len(self.actions)), np.float32)]
        states = [[np.zeros((0, len(names)), np.float32)] for names in self.states]
        for rows, features in self._features(frames, first):
            with inference(self.device, full_precision=True):
                actions.append(self.net.action_logits(features).softmax(dim=1).cpu().numpy())
                for part, logits in enumerate(self.net.state_logits(features, told.expand(len(features), -1))):
                    states[part].append(logits.softmax(dim=1).cpu().numpy())
            places += rows
        return TrackReadings(
            places=tuple(places),
            weights=np.array([person_weight(frames[frame], person) for frame, person in places]),
            action_scores=np.concatenate(actions),
            state_scores=tuple(np.concatenate(part) for part in states),
        )

    def named(self, frames: Sequence[FrameParse], readings: TrackReadings, *, first: int = 0) -> list[FrameParse]:
        """`frames[first:]` with the likeliest states of their readings."""
        persons = [list(frame.persons) for frame in frames]
        for row, (frame, person) in enumerate(readings.places):
            persons[frame][person] = self._named(persons[frame][person], [part[row] for part in readings.state_scores])
        return [replace(frames[n], persons=tuple(persons[n])) for n in range(first, len(frames))]

    def _named(self, person: PersonParse, scores: list[NDArray[np.float32]]) -> PersonParse:
        return replace(
            person, parts=tuple(self._with_state(part, scores[PART_INDEX[part.name]]) for part in person.parts)
        )

    def _with_state(self, part: PartParse, scores: NDArray[np.float32]) -> PartParse:
        best = int(scores.argmax())
        return replace(part, state=self.states[PART_INDEX[part.name]][best], state_score=float(scores[best]))

    def _features(
        self, frames: Sequence[FrameParse], first: int
    ) -> Iterator[tuple[list[tuple[int, int]], torch.Tensor]]:
        """(frame, person) of the persons of `frames[first:]` in batches, with their features (n, C)."""
        rows, windows = person_windows(
            frames,
            first=first,
            num_instants=self.net.config.num_instants,
            step_seconds=self.config.step_seconds,
        )
        windows = with_floor(windows, self.config.confidence_floor)
        for start in range(0, len(rows), self.max_batch):
            batch = torch.from_numpy(windows[start : start + self.max_batch]).to(self.device)
            with inference(self.device, full_precision=True):
                features = self.net.features(batch)  # (n, C)
            yield rows[start : start + self.max_batch], features


class FollowedTracks:
    """Tracks as their frames come in: states rest on what was seen so far, and little of it is kept."""

    def __init__(
        self, recognizer: TrackRecognizer, *, condition_on_action: bool = True, memory_seconds: float = np.inf
    ) -> None:
        """`memory_seconds`: how long what was seen counts for the action; a source without an end needs one."""
        self._recognizer = recognizer
        self._condition_on_action = condition_on_action
        self._memory_seconds = memory_seconds
        self._recent: list[FrameParse] = []  # as far back as windows reach
        self._evidence: deque[tuple[float, Evidence]] = deque()  # with the time, seconds, up to which it was seen

    def with_states(self, frames: Sequence[FrameParse]) -> list[FrameParse]:
        """The next frames of the video, with a state on every part of every person."""
        if not frames:
            return []
        recognizer, first = self._recognizer, len(self._recent)
        known = [*self._recent, *frames]
        now = known[-1].time_seconds
        self._remember(now, recognizer.evidence(known, first=first))
        self._recent = [frame for frame in known if frame.time_seconds >= now - recognizer.reach_seconds]
        told = self.action_evidence if self._condition_on_action else recognizer.no_evidence
        return recognizer.with_states(known, told.scores(), first=first)

    def _remember(self, now: float, found: Evidence) -> None:
        """Add what was found up to `now`, seconds, and forget what is too old; without an end all is one sum."""
        if self._evidence and self._memory_seconds == np.inf:
            found += self._evidence.popleft()[1]
        self._evidence.append((now, found))
        while self._evidence[0][0] < now - self._memory_seconds:
            self._evidence.popleft()

    @property
    def action_evidence(self) -> Evidence:
        """What the remembered frames say of the action."""
        return sum((found for _, found in self._evidence), start=self._recognizer.no_evidence)


def person_weight(frame: FrameParse, number: int) -> float:
    """How much a person counts: the surer box and keypoints are, and the nearer to the largest person of the frame.

    Who does what a video is about stands in front; who stands around is smaller, and does something else.
    """
    person = frame.persons[number]
    share = _area(person) / max(_area(other) for other in frame.persons)
    return share * person.score * float(np.mean([confidence for _, _, confidence in person.keypoints]))


def _area(person: PersonParse) -> float:
    x1, y1, x2, y2 = person.box
    return max((x2 - x1) * (y2 - y1), 1.0)
