"""Stage 2: what a whole video shows, and what each body part does in a segment of about three seconds.

One network names the video's action; six, one for each part group, give a label (action, group, state), for a paired
group the states of both sides. Source: PCF, section II-C, and III-A (seven clips, shorter side 256).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GroupLabel, LabelSpace, states_by_part
from actparse.nets.tsn import Tsn
from actparse.stages.actions.clip_inputs import FlowInput, flow_inputs, frame_inputs
from actparse.stages.inputs import InputNorm
from actparse.stages.precision import inference
from actparse.video.sampling import SamplingRule, test_clip_indices

LATE = 0.01  # of a step: it is looked at a little late, so that rounding picks the frame that comes with it


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """How clips are cut from a stretch of video. The defaults are the paper's."""

    num_frames: int = 32  # frames in a clip
    frame_stride: int = 2  # steps of the time line from one frame of a clip to the next
    num_clips: int = 7  # clips in a stretch; their scores are averaged as probabilities
    rule: SamplingRule = "legacy"  # of clip sampling, "legacy" (the paper's) or "current"
    frame_rate: float | None = None  # steps of the time line per second; None takes the video's own frames
    short_side: int = 256  # pixels of the resized frame
    crop: int | None = None  # side of the centre crop, pixels; None takes the whole frame
    norm: InputNorm = field(default_factory=InputNorm)
    flow: FlowInput | None = None  # the network reads optical flow between the frames, not the frames

    def __post_init__(self) -> None:
        for name in ("num_frames", "frame_stride", "num_clips", "short_side"):
            if getattr(self, name) < 1:
                raise ConfigError(f"clip.{name} must be at least 1, got {getattr(self, name)}")
        if self.rule not in ("legacy", "current"):
            raise ConfigError(f"clip.rule must be 'legacy' or 'current', got {self.rule!r}")
        if self.frame_rate is not None and self.frame_rate <= 0:
            raise ConfigError(f"clip.frame_rate must be greater than 0, got {self.frame_rate}")
        if self.crop is not None and not 1 <= self.crop <= self.short_side:
            raise ConfigError(f"clip.crop must be 1..short_side ({self.short_side}), got {self.crop}")
        if self.flow is not None and self.num_frames % self.flow.run:
            raise ConfigError(f"clip.num_frames must be a multiple of {self.flow.run} for flow, got {self.num_frames}")

    @property
    def reading(self) -> ClipConfig:
        """What decides which pixels of a video are read; networks that agree on it can share them."""
        return replace(self, norm=InputNorm(), flow=None)


def time_line(times: NDArray[np.float64], frame_rate: float | None) -> NDArray[np.int64]:
    """Which frame is on screen at each step of a time line of `frame_rate` steps per second.

    Args:
        times: (N,) presentation times in seconds, ascending, N at least 1.
        frame_rate: steps per second; None makes every frame a step.

    Returns:
        (M,) indices of frames, ascending; M is at least 1.
    """
    if frame_rate is None:
        return np.arange(len(times))
    num_steps = steps_of(float(times[-1] - times[0]), len(times), frame_rate)
    steps = times[0] + (np.arange(num_steps) + LATE) / frame_rate
    frames: NDArray[np.int64] = np.clip(np.searchsorted(times, steps, side="right") - 1, 0, len(times) - 1)
    return frames


def steps_of(seconds: float, num_frames: int, frame_rate: float) -> int:
    """How many steps a time line has, whose last of `num_frames` frames comes `seconds` after its first; at least 1."""
    return max(1, round((seconds + seconds / max(num_frames - 1, 1)) * frame_rate))


def step_at(seconds: float, frame_rate: float) -> int:
    """The first step that a frame is on screen for, which comes `seconds` after the first frame."""
    return int(np.ceil(seconds * frame_rate - LATE))


def centred_steps(step: int, num_steps: int, config: ClipConfig) -> NDArray[np.int64]:
    """The steps (T,) of the clip with `step` in its middle; past the ends of the time line, these repeat."""
    first = step - config.num_frames * config.frame_stride // 2
    return np.clip(first + np.arange(config.num_frames) * config.frame_stride, 0, num_steps - 1)


def clip_frame_indices(times: NDArray[np.float64], config: ClipConfig) -> NDArray[np.int64]:
    """The frames (num_clips, num_frames) of a stretch's clips, as indices into its `times` (N,)."""
    steps = time_line(times, config.frame_rate)
    on_line = test_clip_indices(
        len(steps), config.num_frames, config.frame_stride, config.num_clips, rule=config.rule
    )  # (num_clips, num_frames)
    frames: NDArray[np.int64] = steps[on_line]
    return frames


def clip_image(image: NDArray[np.uint8], config: ClipConfig) -> NDArray[np.uint8]:
    """A frame (H, W, 3) as the clip networks see it: shorter side resized, then the centre crop if there is one."""
    height, width = image.shape[:2]
    scale = config.short_side / min(height, width)
    size = (max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5)))
    interpolation = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    if size != (width, height):
        image = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    if config.crop is None:
        return image
    left, top = (image.shape[1] - config.crop) // 2, (image.shape[0] - config.crop) // 2
    return image[top : top + config.crop, left : left + config.crop]


Clips = Mapping[ClipConfig, NDArray[np.uint8]]  # of a stretch, by the reading: (N, T, H, W, 3) RGB


class ClipClassifier:
    """A video network with its labels: clips in, the mean probability of each label out."""

    def __init__(self, net: nn.Module, labels: Sequence[GroupLabel], config: ClipConfig, *, max_batch: int = 8) -> None:
        self.net = net
        self.labels = tuple(labels)
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    @property
    def members(self) -> tuple[tuple[ClipClassifier, float], ...]:
        """Itself alone, as an ensemble."""
        return ((self, 1.0),)

    @property
    def reads(self) -> tuple[InputNorm, FlowInput | None, bool]:
        """What decides the network's input; classifiers that agree on it can share it."""
        return self.config.norm, self.config.flow, isinstance(self.net, Tsn)

    def inputs(self, clips: NDArray[np.uint8]) -> Tensor:
        """Clips (N, T, H, W, 3) uint8 RGB as the network takes them: (N, 3, T, H, W), or (N, S, C, H, W) for a TSN."""
        if self.config.flow is not None:
            return flow_inputs(clips, self.config.flow, self.device)
        return frame_inputs(clips, self.config.norm, self.device, places_first=isinstance(self.net, Tsn))

    def scores(self, inputs: Tensor) -> NDArray[np.float32]:
        """Map N clips, as `inputs` makes them, to their mean probabilities (num_labels,), which sum to 1."""
        total = torch.zeros(len(self.labels), device=self.device)
        for batch in torch.split(inputs, self.max_batch):
            with inference(self.device):
                logits = self.net(batch)  # (n, num_labels)
            total += logits.float().softmax(dim=1).sum(dim=0)
        return (total / len(inputs)).cpu().numpy()


class ClipEnsemble:
    """Video networks of the same labels, whose probabilities are averaged with weights.

    Source: the challenge report of the paper's authors, where weights are of scores.
    """

    def __init__(self, members: Sequence[tuple[ClipClassifier, float]]) -> None:
        """`members`: each network with its weight.

        Raises:
            ConfigError: there is no weight above 0, one is below 0, or networks say other labels.
        """
        weights = [weight for _, weight in members]
        if not weights or min(weights) < 0 or sum(weights) <= 0:
            raise ConfigError(f"ensemble needs weights of at least 0, not all of them 0, got {weights}")
        if len({classifier.labels for classifier, _ in members}) > 1:
            raise ConfigError("ensemble needs networks of the same labels in the same order")
        self.members = tuple((classifier, weight / sum(weights)) for classifier, weight in members if weight > 0)
        self.labels = self.members[0][0].labels


Classifier = ClipClassifier | ClipEnsemble


def readings(classifiers: Iterable[Classifier]) -> tuple[ClipConfig, ...]:
    """The distinct readings of networks, each one's settings for cutting clips."""
    members = (member for classifier in classifiers for member, _ in classifier.members)
    return tuple(dict.fromkeys(member.config.reading for member in members))


def label_scores(classifier: Classifier, clips: Clips, shared: dict[Any, Tensor] | None = None) -> NDArray[np.float32]:
    """Map the clips of a stretch to the probability of each label (num_labels,), which sum to 1.

    Args:
        classifier: a network, or several.
        clips: for the reading of each network.
        shared: inputs that others made of these clips; networks that read alike make them once.
    """
    shared = {} if shared is None else shared
    total = np.zeros(len(classifier.labels), np.float32)
    for member, weight in classifier.members:
        key = (member.config.reading, member.reads)
        if key not in shared:
            shared[key] = member.inputs(clips[member.config.reading])
        total += np.float32(weight) * member.scores(shared[key])
    return total


class StateRecognizer:
    """The six group networks: a segment's clips in, per group the probability of each (action, state...) label out."""

    def __init__(self, classifiers: Mapping[str, Classifier]) -> None:
        self.classifiers = dict(classifiers)
        self.readings = readings(classifiers.values())

    def scores(self, clips: Clips) -> dict[str, NDArray[np.float32]]:
        """Map a segment's clips, for each of the readings, to {group: (num_labels,) probabilities}."""
        shared: dict[Any, Tensor] = {}
        return {group: label_scores(each, clips, shared) for group, each in self.classifiers.items()}


def best_states(
    scores: dict[str, NDArray[np.float32]], labels: LabelSpace, *, action: str | None = None
) -> tuple[dict[str, str], dict[str, float]]:
    """The likeliest state of every part, and its probability.

    A group's label names an action too: with `action` the labels of that action alone count, as the official score
    looks at no other; without it, and where a group has no label of it, all count. States are summed over labels that
    agree on them.

    Args:
        scores: {group: (num_labels,) probabilities}.
        labels: what the indices mean.
        action: of the whole video.
    """
    states: dict[str, str] = {}
    state_scores: dict[str, float] = {}
    for group, probabilities in scores.items():
        known = list(zip(labels.group_labels[group], probabilities.tolist(), strict=True))
        of_action = [(label, probability) for label, probability in known if label[0] == action]
        merged: dict[GroupLabel, float] = {}
        for label, probability in of_action or known:
            merged[label[1:]] = merged.get(label[1:], 0.0) + probability
        total = sum(merged.values()) or 1.0
        best = max(merged, key=lambda key: merged[key])
        by_part = states_by_part(group, ("", *best))
        states |= by_part
        state_scores |= dict.fromkeys(by_part, merged[best] / total)
    return states, state_scores
