"""Stage 2: the action of a whole video, and the state of each body part in a segment of about three seconds.

One network predicts the video's action. Six networks, one for each part group, predict a label (action, group, state);
for a paired group the label has the states of both sides.
Source: PCF, section II-C, and III-A (seven clips, shorter side 256).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GroupLabel, LabelSpace, states_by_part
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.tsn import Tsn
from actparse.stages.actions.clip_inputs import FlowInput, flow_inputs, frame_inputs
from actparse.stages.inputs import InputNorm
from actparse.stages.precision import inference
from actparse.video.resizing import MAX_ASPECT, fit_size, resize
from actparse.video.sampling import SamplingRule, test_clip_indices
from actparse.video.time_line import visible_frames


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """Settings for cutting clips from an interval of a video. The defaults follow the paper."""

    num_frames: int = 32  # frames in a clip
    frame_stride: int = 2  # steps of the time line from one frame of a clip to the next
    num_clips: int = 7  # clips in an interval; their probabilities are averaged
    rule: SamplingRule = "legacy"  # for sampling clips, "legacy" (the paper's) or "current"
    frame_rate: float | None = None  # steps of the time line per second; None: the video's frames are the steps
    short_side: int = 256  # pixels of the resized frame
    crop: int | None = None  # side of the centre crop, pixels; None: the whole frame
    norm: InputNorm = field(default_factory=InputNorm)
    flow: FlowInput | None = None  # if set, the input is the optical flow between the frames, not the frames
    along_tracks: bool = False  # whether clips are squares of `short_side` around each person, not whole frames

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
    def sampling(self) -> ClipConfig:
        """The settings that determine which pixels are sampled; networks with equal ones can share clips."""
        return replace(self, norm=InputNorm(), flow=None)


def centred_steps(step: int, num_steps: int, config: ClipConfig) -> NDArray[np.int64]:
    """Return the steps (T,) of the clip around `step`; beyond the ends of the time line, its end steps repeat."""
    first = step - config.num_frames * config.frame_stride // 2
    return np.clip(first + np.arange(config.num_frames) * config.frame_stride, 0, num_steps - 1)


def clip_frame_indices(times: NDArray[np.float64], config: ClipConfig) -> NDArray[np.int64]:
    """Return the frames (num_clips, num_frames) of an interval's clips, as indices into its `times` (N,)."""
    steps = visible_frames(times, config.frame_rate)
    on_line = test_clip_indices(
        len(steps), config.num_frames, config.frame_stride, config.num_clips, rule=config.rule
    )  # (num_clips, num_frames)
    frames: NDArray[np.int64] = steps[on_line]
    return frames


def clip_image(image: NDArray[np.uint8], config: ClipConfig) -> NDArray[np.uint8]:
    """Resize the shorter side of a frame (H, W, 3) as the clip networks need it, then cut the centre crop, if any.

    The memory of very long frames is limited: without a crop they are made smaller, else their ends are cut off first.
    """
    height, width = image.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    if config.crop is not None and max(height, width) > longest:
        left, top = max(width - longest, 0) // 2, max(height - longest, 0) // 2
        image = image[top : top + min(height, longest), left : left + min(width, longest)]
    size = fit_size((image.shape[0], image.shape[1]), config.short_side, MAX_ASPECT * config.short_side)
    image = resize(image, size)
    if config.crop is None:
        return image
    left, top = (image.shape[1] - config.crop) // 2, (image.shape[0] - config.crop) // 2
    return image[top : top + config.crop, left : left + config.crop]


Clips = Mapping[ClipConfig, NDArray[np.uint8]]  # of an interval, by `ClipConfig.sampling`: (N, T, H, W, 3) RGB


class ClipClassifier:
    """A video network with its labels: it maps clips to the mean probability of each label."""

    def __init__(self, net: Csn | Tsn, labels: Sequence[GroupLabel], config: ClipConfig, *, max_batch: int = 8) -> None:
        self.net = net
        self.labels = tuple(labels)
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    @property
    def members(self) -> tuple[tuple[ClipClassifier, float], ...]:
        """This classifier as an ensemble of one member."""
        return ((self, 1.0),)

    @property
    def reads(self) -> tuple[InputNorm, FlowInput | None, bool]:
        """The settings that determine the network's input from clips; classifiers with equal ones can share it."""
        return self.config.norm, self.config.flow, isinstance(self.net, Tsn)

    def inputs(self, clips: NDArray[np.uint8]) -> Tensor:
        """Convert clips (N, T, H, W, 3) uint8 RGB to the input of a CSN (N, 3, T, H, W) or of a TSN (N, S, C, H, W)."""
        if self.config.flow is not None:
            return flow_inputs(clips, self.config.flow, self.device)
        return frame_inputs(clips, self.config.norm, self.device, places_first=isinstance(self.net, Tsn))

    def features(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Map N clips, as returned by `inputs`, to the trunk's features, in batches (n, C) or (n, S, C)."""
        with inference(self.device):
            return tuple(self.net.features(batch) for batch in torch.split(inputs, self.max_batch))

    def scores(self, inputs: Tensor, features: tuple[Tensor, ...] | None = None) -> NDArray[np.float32]:
        """Map N clips, as returned by `inputs`, to their mean probabilities (num_labels,), which sum to 1.

        `features` are those of the clips, if another network with the same trunk has computed them.
        """
        total = torch.zeros(len(self.labels), device=self.device)
        for batch in self.features(inputs) if features is None else features:
            with inference(self.device):
                logits = self.net.cls_head(batch.view(len(batch), -1, batch.shape[-1]).mean(dim=1))  # (n, num_labels)
            total += logits.float().softmax(dim=1).sum(dim=0)
        return (total / len(inputs)).cpu().numpy()


class ClipEnsemble:
    """Video networks with the same labels, whose probabilities are averaged with weights.

    Source: the challenge report of the paper's authors, in which the weights apply to scores.
    """

    def __init__(self, members: Sequence[tuple[ClipClassifier, float]]) -> None:
        """Combine the networks in `members`, each with its weight.

        Raises:
            ConfigError: no weight is above 0, one is below 0, or the networks have different labels.
        """
        weights = [weight for _, weight in members]
        if not weights or min(weights) < 0 or sum(weights) <= 0:
            raise ConfigError(f"ensemble needs weights of at least 0, not all of them 0, got {weights}")
        if len({classifier.labels for classifier, _ in members}) > 1:
            raise ConfigError("ensemble needs networks of the same labels in the same order")
        self.members = tuple((classifier, weight / sum(weights)) for classifier, weight in members if weight > 0)
        self.labels = self.members[0][0].labels


Classifier = ClipClassifier | ClipEnsemble


def clip_samplings(classifiers: Iterable[Classifier]) -> tuple[ClipConfig, ...]:
    """Return the distinct samplings of networks: the settings for all clips that they need."""
    members = (member for classifier in classifiers for member, _ in classifier.members)
    return tuple(dict.fromkeys(member.config.sampling for member in members))


def label_scores(classifier: Classifier, clips: Clips, shared: dict[Any, Any] | None = None) -> NDArray[np.float32]:
    """Map the clips of an interval to the probability of each label (num_labels,), which sum to 1.

    Args:
        classifier: one network or an ensemble.
        clips: for the sampling of each network.
        shared: a cache of network inputs and features made from these clips; networks with equal settings share the
            inputs, those with one trunk the features.
    """
    shared = {} if shared is None else shared
    total = np.zeros(len(classifier.labels), np.float32)
    for member, weight in classifier.members:
        key = (member.config.sampling, member.reads)
        if key not in shared:
            shared[key] = member.inputs(clips[member.config.sampling])
        trunk_key = (key, member.net.backbone)
        if trunk_key not in shared:
            shared[trunk_key] = member.features(shared[key])
        total += np.float32(weight) * member.scores(shared[key], shared[trunk_key])
    return total


def share_trunks(classifiers: Iterable[Classifier]) -> None:
    """Let networks whose trunks are equal, weight by weight, use one of them: a clip then passes through it once."""
    nets = [member.net for classifier in classifiers for member, _ in classifier.members]
    for position, net in enumerate(nets):
        net.backbone = next(other.backbone for other in nets[: position + 1] if _have_equal_trunks(other, net))


def _have_equal_trunks(first: Csn | Tsn, second: Csn | Tsn) -> bool:
    if replace(first.config, num_classes=1, dropout=0.0) != replace(second.config, num_classes=1, dropout=0.0):
        return False
    weights, others = first.backbone.state_dict(), second.backbone.state_dict()
    return all(torch.equal(weight, others[name]) for name, weight in weights.items())


class StateRecognizer:
    """The six group networks: they map a segment's clips to the probability of each (action, state...) label."""

    def __init__(self, classifiers: Mapping[str, Classifier]) -> None:
        """Combine the networks of the groups.

        Raises:
            ConfigError: some of them need clips along tracks, others clips of whole frames.
        """
        self.classifiers = dict(classifiers)
        self.samplings = clip_samplings(classifiers.values())
        self.along_tracks = any(
            sampling.along_tracks for sampling in self.samplings
        )  # whether persons have separate states
        if not all(sampling.along_tracks == self.along_tracks for sampling in self.samplings):
            raise ConfigError("the state networks must all have clip.along_tracks or none of them, got some")

    def scores(self, clips: Clips) -> dict[str, NDArray[np.float32]]:
        """Map a segment's clips, for each of the samplings, to {group: (num_labels,) probabilities}."""
        shared: dict[Any, Any] = {}
        return {group: label_scores(classifier, clips, shared) for group, classifier in self.classifiers.items()}


def best_states(
    scores: dict[str, NDArray[np.float32]], labels: LabelSpace, *, action: str | None = None
) -> tuple[dict[str, str], dict[str, float]]:
    """Return the likeliest state of every part, and its probability.

    A group's label includes an action. With `action` only the labels of that action count, because the official score
    ignores all others; without it, or if a group has no label of that action, all count. Probabilities are
    added over labels with the same states.

    Args:
        scores: {group: (num_labels,) probabilities}.
        labels: what the indices mean.
        action: of the whole video.
    """
    states: dict[str, str] = {}
    state_scores: dict[str, float] = {}
    for group, probabilities in scores.items():
        labelled = list(zip(labels.group_labels[group], probabilities.tolist(), strict=True))
        of_action = [(label, probability) for label, probability in labelled if label[0] == action]
        merged: dict[GroupLabel, float] = {}
        for label, probability in of_action or labelled:
            merged[label[1:]] = merged.get(label[1:], 0.0) + probability
        total = sum(merged.values()) or 1.0
        best = max(merged, key=lambda key: merged[key])
        by_part = states_by_part(group, ("", *best))
        states |= by_part
        state_scores |= dict.fromkeys(by_part, merged[best] / total)
    return states, state_scores
