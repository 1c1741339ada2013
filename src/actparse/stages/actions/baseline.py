"""The official baseline for inference: it maps frames and their boxes to the action and the states of all parts.

It replaces stage 2: persons, poses and parts are detected as usual, and no clip network runs. If it was trained with
objects, it also uses those that the bundle's object detector finds.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, ShapeError, WeightsError
from actparse.core.structures import FrameParse
from actparse.core.vocabulary import PART_INDEX, PARTS
from actparse.nets.baseline import Baseline, FrameBoxes, FrameFeatures
from actparse.stages.actions.tracks import with_likeliest_states
from actparse.stages.inputs import InputNorm, stack_images
from actparse.stages.precision import inference
from actparse.video.resizing import MAX_ASPECT, fit_size, resize
from actparse.weights.bundle import NetworkFile, config_from_dict

Image = NDArray[np.uint8]  # (H, W, 3) RGB

MIN_OBJECT_SCORE = 0.3  # objects below it are left out; training has true ones. Ours


@dataclass(frozen=True, kw_only=True)
class BaselineSettings:
    """Settings for the input of the network."""

    short_side: int = 256  # pixels of the resized frame
    max_frames: int = 8  # of one forward pass
    norm: InputNorm = field(default_factory=InputNorm)

    def __post_init__(self) -> None:
        for name in ("short_side", "max_frames"):
            if getattr(self, name) < 1:
                raise ConfigError(f"baseline.{name} must be at least 1, got {getattr(self, name)}")

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of the network's input for a frame of (height, width)."""
        return fit_size(size, self.short_side, MAX_ASPECT * self.short_side)


@dataclass(frozen=True)
class SeenFrames:
    """Sums of features for the action: over all frames so far, and over the frames with people."""

    scene: NDArray[np.float64]  # (C,)
    people: NDArray[np.float64]  # (width,)
    num_frames: int
    num_peopled: int  # frames with people

    def __add__(self, other: SeenFrames) -> SeenFrames:
        return SeenFrames(
            self.scene + other.scene,
            self.people + other.people,
            self.num_frames + other.num_frames,
            self.num_peopled + other.num_peopled,
        )


class BaselineRecognizer:
    """The network with its labels, from frames and boxes to the action and the states."""

    def __init__(
        self,
        net: Baseline,
        actions: Sequence[str],
        states: Sequence[Sequence[str]],
        settings: BaselineSettings,
        objects: Sequence[str] = (),
    ) -> None:
        """Wrap a network.

        Args:
            net: the network.
            actions: in the order of its outputs.
            states: those of each of the ten parts, in the order of its outputs.
            settings: for its input.
            objects: names of those whose boxes it was trained with; boxes of others are left out.
        """
        self.net = net
        self.objects = frozenset(objects)
        self.actions = tuple(actions)
        self.states = tuple(map(tuple, states))
        self.settings = settings
        self.device = next(net.parameters()).device

    def recognize(
        self, images: Sequence[Image], frames: Sequence[FrameParse]
    ) -> tuple[dict[str, float], list[FrameParse]]:
        """Recognise the action of a video and the state of every part in it.

        Args:
            images: the sampled frames, all of one size.
            frames: the persons of each frame, with the boxes of their parts, and its objects.

        Returns:
            The score of every action, which sum to 1, and the frames with a state for every part.

        Raises:
            ShapeError: there are not as many images as frames, or they differ in size.
        """
        sums, parsed = self.look(images, frames)
        return self.by_action(sums), parsed

    @property
    def no_frames(self) -> SeenFrames:
        """The feature sums before the first frame."""
        return SeenFrames(np.zeros(self.net.backbone.config.out_channels), np.zeros(self.net.config.width), 0, 0)

    def look(self, images: Sequence[Image], frames: Sequence[FrameParse]) -> tuple[SeenFrames, list[FrameParse]]:
        """Return the feature sums of some frames of a video and these frames with states; see `recognize`."""
        if len(images) != len(frames):
            raise ShapeError(f"images must be {len(frames)}, one for each frame, got {len(images)}")
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise ShapeError(f"images must be of one size, got {', '.join(map(str, sorted(shapes)))}")
        sums = self.no_frames
        parsed: list[FrameParse] = []
        for batch, features in self._features(images, frames):
            sums += SeenFrames(
                features.scene.double().sum(dim=0).cpu().numpy(),
                features.people.double().sum(dim=0).cpu().numpy(),
                len(batch),
                int(features.peopled.sum()),
            )
            scores = [part.float().softmax(dim=1).cpu().numpy() for part in features.states]  # ten times (P, S)
            rows = zip(*scores, strict=True)  # of the persons of all frames, in order: ten times (S,)
            for frame in batch:
                persons = [with_likeliest_states(person, next(rows), self.states) for person in frame.persons]
                parsed.append(replace(frame, persons=tuple(persons)))
        return sums, parsed

    def by_action(self, sums: SeenFrames) -> dict[str, float]:
        """Return the probability of each action from these sums; all equal without any frame."""
        if not sums.num_frames:
            return dict.fromkeys(self.actions, 1 / len(self.actions))
        scene = torch.from_numpy(sums.scene / sums.num_frames).float().to(self.device)  # (C,)
        people = torch.from_numpy(sums.people / max(sums.num_peopled, 1)).float().to(self.device)  # (width,)
        with inference(self.device, full_precision=True):
            scores = self.net.action_logits(scene[None], people[None]).softmax(dim=1)[0]
        return dict(zip(self.actions, scores.tolist(), strict=True))

    def _features(
        self, images: Sequence[Image], frames: Sequence[FrameParse]
    ) -> Iterator[tuple[Sequence[FrameParse], FrameFeatures]]:
        """Yield the frames in batches, with the network's features of them."""
        for start in range(0, len(frames), self.settings.max_frames):
            batch = slice(start, start + self.settings.max_frames)
            size = (images[start].shape[0], images[start].shape[1])
            height, width = self.settings.resized(size)
            inputs = stack_images([resize(image, (height, width)) for image in images[batch]], self.device)
            scale = np.array([width / size[1], height / size[0]] * 2, np.float32)
            boxes = frame_boxes(frames[batch], scale, self.objects).to(self.device)
            with inference(self.device):
                features = self.net.frame_features(self.settings.norm(inputs), boxes)
            yield frames[batch], features


def frame_boxes(frames: Sequence[FrameParse], scale: NDArray[np.float32], names: Container[str]) -> FrameBoxes:
    """Collect the boxes of some frames for the network, times `scale` (4,); parts without a box are zeros.

    Of the objects, those with one of `names` and a sufficient score are used.
    """
    persons = [person for frame in frames for person in frame.persons]
    parts = np.zeros((len(persons), len(PARTS), 4), np.float32)
    for row, person in enumerate(persons):
        for part in person.parts:
            parts[row, PART_INDEX[part.name]] = part.box
    objects = [
        [item.box for item in frame.objects if item.name in names and item.score >= MIN_OBJECT_SCORE]
        for frame in frames
    ]
    return FrameBoxes(
        persons=torch.from_numpy(np.array([p.box for p in persons], np.float32).reshape(-1, 4) * scale),
        parts=torch.from_numpy(parts * scale),
        person_frames=_frame_indices([len(frame.persons) for frame in frames]),
        objects=torch.from_numpy(np.array([*chain(*objects)], np.float32).reshape(-1, 4) * scale),
        object_frames=_frame_indices(list(map(len, objects))),
    )


def _frame_indices(counts: Sequence[int]) -> torch.Tensor:
    """Return 0 as many times as the first count, then 1 and so on: (sum of counts,) int64."""
    return torch.from_numpy(np.repeat(np.arange(len(counts), dtype=np.int64), counts))


def build_recognizer(file: NetworkFile) -> BaselineRecognizer:
    """Build the recogniser of a stored network.

    Raises:
        WeightsError: the file contains another type of network, or its labels do not fit it.
    """
    net = file.net
    if not isinstance(net, Baseline):
        raise WeightsError(f"{file.kind}: needs a Baseline, got a {type(net).__name__}")
    actions, states = file.labels.get("actions"), file.labels.get("states")
    if not isinstance(actions, list) or len(actions) != net.config.num_actions:
        raise WeightsError(f"{file.kind}: labels.actions must be {net.config.num_actions} names, got {actions!r}")
    if not isinstance(states, list) or tuple(map(len, states)) != net.config.num_states:
        raise WeightsError(f"{file.kind}: labels.states must be a list for each part, got {states!r}")
    objects = file.labels.get("objects", [])
    if not isinstance(objects, list) or not all(isinstance(name, str) for name in objects):
        raise WeightsError(f"{file.kind}: labels.objects must be names, got {objects!r:.80}")
    settings = config_from_dict(BaselineSettings, file.settings, name=f"{file.kind}: settings")
    return BaselineRecognizer(net, actions, states, settings, objects)
