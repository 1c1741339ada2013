"""The official baseline of Kinetics-TPS: features of person, part and object boxes, combined with TSN.

The public description contains: ResNet-50, RoIAlign on person, part and object boxes, an MLP that refines each part's
feature for its state, features pooled over parts and persons and fused with TSN for the action. The open details are
chosen here:

- boxes are pooled from the last stage's map, reduced by a 1x1 convolution; one linear layer, shared by all kinds of
  boxes, maps a box's cells to a vector, and each kind (ten parts, person, object) adds a separate vector;
- the input of the MLP is the part, its person and the mean of the frame's objects, which is 0 without objects;
- refined parts are pooled over a person's parts, and persons over the frame (`pooling`: mean or max); frames with
  people are averaged over the video, as TSN's consensus does with all frames;
- TSN shares the backbone. Its feature and that of the people are concatenated before one linear layer, which equals
  the sum of the logits of two classifiers.

Source: the texts of the challenge's public page and reports; no program or weights of it are public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError, ShapeError, expect_shape
from actparse.core.vocabulary import PARTS
from actparse.nets.clips.classifier import ClassifierHead
from actparse.nets.resnet import ResNet, ResNetConfig, resnet_config
from actparse.nets.roi_align import roi_align

Pooling = Literal["mean", "max"]
PERSON = len(PARTS)  # kinds of boxes: 0 to 9 are the parts
OBJECT = len(PARTS) + 1
NUM_KINDS = len(PARTS) + 2


@dataclass(frozen=True, kw_only=True)
class BaselineConfig:
    """Size of the network and numbers of its labels; the defaults are those of ResNet-50."""

    backbone: ResNetConfig = field(default_factory=ResNetConfig)
    num_actions: int = 24
    num_states: tuple[int, ...] = (8,) * len(PARTS)  # of each part
    roi_channels: int = 256  # of the map that boxes are pooled from
    roi_size: int = 7  # cells of a box along each side
    sampling_ratio: int | None = 2  # samples of a cell along each axis; None: ceil(width of the cell)
    width: int = 1024  # channels of a box's feature, and of the MLP
    num_layers: int = 2  # of the MLP
    pooling: Pooling = "mean"  # over a person's parts, and over a frame's persons
    dropout: float = 0.5  # in the MLP and before the action's layer

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_states", tuple(self.num_states))
        if len(self.num_states) != len(PARTS) or min(self.num_states) < 1:
            raise ConfigError(f"baseline.num_states must be {len(PARTS)} numbers of at least 1, got {self.num_states}")
        for name in ("num_actions", "roi_channels", "roi_size", "width", "num_layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"baseline.{name} must be at least 1, got {getattr(self, name)}")
        if self.sampling_ratio is not None and self.sampling_ratio < 1:
            raise ConfigError(f"baseline.sampling_ratio must be None or at least 1, got {self.sampling_ratio}")
        if self.pooling not in ("mean", "max"):
            raise ConfigError(f"baseline.pooling must be 'mean' or 'max', got {self.pooling!r}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"baseline.dropout must be at least 0 and less than 1, got {self.dropout}")


@dataclass(frozen=True)
class FrameBoxes:
    """The boxes of F frames, by kind: P persons with ten parts each, and O objects; P and O may be 0.

    Boxes are xyxy in pixels of the frames that the network sees. `person_frames` and `object_frames` are int64, 0 to
    F - 1; a missing part is four zeros.
    """

    persons: Tensor  # (P, 4)
    parts: Tensor  # (P, 10, 4)
    person_frames: Tensor  # (P,)
    objects: Tensor  # (O, 4)
    object_frames: Tensor  # (O,)

    def __post_init__(self) -> None:
        expect_shape("persons", self.persons, (None, 4))
        expect_shape("parts", self.parts, (len(self.persons), len(PARTS), 4))
        expect_shape("person_frames", self.person_frames, (len(self.persons),))
        expect_shape("objects", self.objects, (None, 4))
        expect_shape("object_frames", self.object_frames, (len(self.objects),))

    @classmethod
    def without_objects(cls, persons: Tensor, parts: Tensor, person_frames: Tensor) -> FrameBoxes:
        """Build the boxes of persons (P, 4) with parts (P, 10, 4) in the frames (P,), without objects."""
        return cls(persons, parts, person_frames, persons.new_zeros(0, 4), person_frames.new_zeros(0))

    def to(self, device: torch.device) -> FrameBoxes:
        """Return the same boxes on another device."""
        return FrameBoxes(
            self.persons.to(device),
            self.parts.to(device),
            self.person_frames.to(device),
            self.objects.to(device),
            self.object_frames.to(device),
        )


class FrameFeatures(NamedTuple):
    """Features and logits of F frames with P persons."""

    scene: Tensor  # (F, C) of the whole frame
    people: Tensor  # (F, width) pooled over parts and persons; 0 without any part
    peopled: Tensor  # (F,) 1 if the frame has a part, else 0
    states: tuple[Tensor, ...]  # for each of the ten parts logits (P, number of its states)


class BaselineLogits(NamedTuple):
    """Logits of N videos with P persons in all their frames."""

    actions: Tensor  # (N, num_actions)
    states: tuple[Tensor, ...]  # for each of the ten parts (P, number of its states)


class Baseline(nn.Module):
    """The network: it maps frames of S segments and their boxes to the video's action and every part's state."""

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.backbone = ResNet(config.backbone)
        num_features = config.backbone.out_channels
        self.reduce = nn.Conv2d(num_features, config.roi_channels, 1)
        self.embed = nn.Linear(config.roi_channels * config.roi_size**2, width)
        self.kinds = nn.Embedding(NUM_KINDS, width)
        self.refine = _mlp(3 * width, width, config.num_layers, config.dropout)
        self.state_heads = nn.ModuleList(nn.Linear(width, count) for count in config.num_states)
        self.cls_head = ClassifierHead(num_features + width, config.num_actions, config.dropout)
        nn.init.normal_(self.kinds.weight, std=0.01)

    def forward(self, frames: Tensor, boxes: FrameBoxes) -> BaselineLogits:
        """Predict the action of videos and the state of every part of every person.

        Args:
            frames: (N, S, 3, H, W), normalised.
            boxes: of the N * S frames, video by video.

        Returns:
            Logits of the actions of N videos, and of the states of the P persons, in the order of `boxes`; those of a
            missing part depend only on its person.

        Raises:
            ShapeError: `frames` has another shape, or a box is in none of them.
        """
        expect_shape("frames", frames, (None, None, self.config.backbone.in_channels, None, None))
        features = self.frame_features(frames.flatten(0, 1), boxes)
        num_videos, num_segments = frames.shape[:2]
        scene = features.scene.view(num_videos, num_segments, features.scene.shape[1]).mean(dim=1)  # (N, C)
        people = features.people.view(num_videos, num_segments, self.config.width).sum(dim=1)  # (N, D)
        people = people / features.peopled.view(num_videos, num_segments).sum(dim=1, keepdim=True).clamp(min=1)
        return BaselineLogits(self.action_logits(scene, people), features.states)

    def action_logits(self, scene: Tensor, people: Tensor) -> Tensor:
        """Map mean features of a video's frames (N, C) and of their people (N, width) to logits (N, num_actions)."""
        logits: Tensor = self.cls_head(torch.cat((scene, people), dim=1))  # (N, num_actions)
        return logits

    def frame_features(self, images: Tensor, boxes: FrameBoxes) -> FrameFeatures:
        """Compute the features and the states of F frames, each separately.

        Args:
            images: (F, 3, H, W), normalised.
            boxes: of these frames.

        Raises:
            ShapeError: a box is in none of the frames.
        """
        _expect_frames(boxes, len(images))
        if images.device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.backbone(images)  # (F, C, H', W')
        reduced = self.reduce(features).relu()  # (F, roi_channels, H', W')
        refined = self._refine_parts(reduced, boxes)  # (P, 10, D)
        exists = (boxes.parts != 0).any(dim=2)  # (P, 10)
        people, peopled = self._pool_persons(refined, exists, boxes.person_frames, len(images))
        states = tuple(head(refined[:, part]) for part, head in enumerate(self.state_heads))
        return FrameFeatures(features.float().mean(dim=(2, 3)), people, peopled, states)

    def _refine_parts(self, reduced: Tensor, boxes: FrameBoxes) -> Tensor:
        """Compute the parts' features (P, 10, D) from the reduced map, given the person and the objects."""
        part_frames = boxes.person_frames.repeat_interleave(len(PARTS))  # (P * 10,)
        kinds = torch.arange(len(PARTS), device=reduced.device)
        parts = self._embed_boxes(reduced, boxes.parts.flatten(0, 1), part_frames, kinds.repeat(len(boxes.persons)))
        persons = self._embed_boxes(reduced, boxes.persons, boxes.person_frames, kinds.new_tensor(PERSON))  # (P, D)
        objects = self._embed_boxes(reduced, boxes.objects, boxes.object_frames, kinds.new_tensor(OBJECT))  # (O, D)
        mean_objects = _mean_by_group(objects, boxes.object_frames, len(reduced))[boxes.person_frames]  # (P, D)
        contexts = [context[:, None].expand(-1, len(PARTS), -1) for context in (persons, mean_objects)]
        joined = torch.cat((parts.view(len(persons), len(PARTS), self.config.width), *contexts), dim=2)  # (P, 10, 3D)
        refined: Tensor = self.refine(joined)  # (P, 10, D)
        return refined

    def _embed_boxes(self, reduced: Tensor, boxes: Tensor, frames: Tensor, kinds: Tensor) -> Tensor:
        """Compute features (R, D) of boxes (R, 4) in the frames (R,), of the kinds (R,) or of one kind ()."""
        cells = roi_align(
            reduced,
            boxes,
            frames,
            size=(self.config.roi_size, self.config.roi_size),
            spatial_scale=1 / self.config.backbone.stride,
            sampling_ratio=self.config.sampling_ratio,
        )  # (R, roi_channels, roi_size, roi_size)
        embedded: Tensor = self.embed(cells.flatten(1)).float() + self.kinds(kinds)  # (R, D)
        return embedded.relu()

    def _pool_persons(self, refined: Tensor, exists: Tensor, frames: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Pool refined parts (P, 10, D) over parts and persons to (F, D); also return 1 for frames (F,) with a part."""
        values = refined.float() * exists[..., None]  # (P, 10, D), at least 0
        is_visible = exists.any(dim=1)  # (P,)
        peopled = values.new_zeros(num_frames).index_add(0, frames, is_visible.to(values.dtype)).clamp(max=1)  # (F,)
        if self.config.pooling == "max":
            of_persons = values.amax(dim=1)  # (P, D)
            index = frames[:, None].expand_as(of_persons)
            return values.new_zeros(num_frames, values.shape[2]).scatter_reduce(0, index, of_persons, "amax"), peopled
        of_persons = values.sum(dim=1) / exists.sum(dim=1, keepdim=True).clamp(min=1)  # (P, D)
        return _mean_by_group(of_persons[is_visible], frames[is_visible], num_frames), peopled


def _expect_frames(boxes: FrameBoxes, num_frames: int) -> None:
    for name in ("person_frames", "object_frames"):
        indices: Tensor = getattr(boxes, name)
        if not len(indices):
            continue
        if indices.dtype != torch.int64 or int(indices.min()) < 0 or int(indices.max()) >= num_frames:
            got = f"{indices.dtype} from {indices.min()} to {indices.max()}"
            raise ShapeError(f"{name} must be int64 numbers of the {num_frames} frames, counted from 0, got {got}")


def _mlp(in_width: int, width: int, num_layers: int, dropout: float) -> nn.Sequential:
    """Build linear layers, each followed by ReLU and dropout."""
    layers: list[nn.Module] = []
    for index in range(num_layers):
        layers += [nn.Linear(width if index else in_width, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


def _mean_by_group(values: Tensor, groups: Tensor, num_groups: int) -> Tensor:
    """Return the mean (num_groups, D) of the values (R, D) of each group, given as indices (R,); 0 if it is empty."""
    sums = values.new_zeros(num_groups, values.shape[1]).index_add(0, groups, values)
    counts = values.new_zeros(num_groups).index_add(0, groups, values.new_ones(len(groups)))  # (num_groups,)
    return sums / counts.clamp(min=1)[:, None]


def baseline(
    depth: int = 50, num_actions: int = 24, num_states: Sequence[int] = (8,) * len(PARTS), *, dropout: float = 0.5
) -> Baseline:
    """Build the baseline on a ResNet of a published depth with fresh weights.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_actions: number of actions.
        num_states: number of states of each of the ten parts.
        dropout: in the MLP and before the action's layer, 0 to below 1.

    Raises:
        ConfigError: a value is out of its range.
    """
    config = BaselineConfig(num_actions=num_actions, num_states=tuple(num_states), dropout=dropout)
    return Baseline(replace(config, backbone=resnet_config(depth)))
