"""Recipes "action" and "states-...": a clip network on the frames of videos or segments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUPS, GroupLabel, mirror_label
from actparse.nets.csn import Csn, CsnConfig
from actparse.nets.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig, clip_frame_indices
from actparse.stages.actions.clip_inputs import FlowInput, normalised_flow
from actparse.training.augment import STRONG_JITTER, ColorJitter, Matrix, about, mirrored, recolor, warp
from actparse.training.flow_cache import cached_flow
from actparse.training.options import Report, say_nothing
from actparse.training.stretches import ClipSource, Stretch
from actparse.training.task import NAMES, Batch, Start, Task, TaskSettings
from actparse.video.flow import FlowBytes
from actparse.weights.bundle import config_to_dict

LABEL_SMOOTHING = 0.05
ZOOM = (0.85, 1.3)
MAX_SHIFT = 0.095  # of the frame's sides
GROUPS_WEIGHT = 2.4  # of the groups' labels in the loss of the action network
SPEED = (0.8, 1.25)  # of the motion


class ClipTask(Task):
    """Clips from labelled stretches, moved, mirrored and recoloured as a whole."""

    settings = TaskSettings(batch_size=16, learning_rate=2.5e-3)

    def __init__(
        self,
        kind: str,
        train: Sequence[Stretch],
        held_out: Sequence[Stretch],
        config: CsnConfig | TsnConfig,
        stage: ClipConfig,
        *,
        report: Report = say_nothing,
    ) -> None:
        """`train` and `held_out`: labelled stretches of frames. The flow that a stage asks for is computed here, once.

        Raises:
            DataError: the training split has no labelled stretch.
        """
        self.kind, self.stage = kind, stage
        self.metric = "accuracy" if kind == "action" else "state_accuracy"
        if not train:
            raise DataError(f"{kind}: the training split has no labelled stretch of frames")
        self.stretches, self.held_out = tuple(train), tuple(held_out)
        self.label_list = tuple(sorted({stretch.label for stretch in train}))
        self.index = _numbered(self.label_list)
        self.net: Csn | Tsn = _build(config, len(self.label_list))
        self.flow: dict[ClipSource, FlowBytes] = {}
        if stage.flow is not None:
            sources = {stretch.source for stretch in train}
            self.flow = {source: _flow_of(source, stage.flow, report) for source in sources}

    @property
    def num_samples(self) -> int:
        """Labelled stretches times the clips that fit into one."""
        frames = sum(max(1, stretch.end - stretch.first) for stretch in self.stretches)
        return max(len(self.stretches), frames // self.stage.num_frames)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Clips from stretches drawn at random."""
        rows = rng.integers(0, len(self.stretches), self.settings.batch_size)
        clips, labels = zip(*(self._sample(self.stretches[row], rng) for row in rows), strict=True)
        names = [self.stretches[row].name for row in rows]
        return {"clips": torch.from_numpy(np.stack(clips)), "labels": torch.tensor(labels), NAMES: names}

    def _sample(self, stretch: Stretch, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        label = self.index[stretch.label]
        seen_in_mirror = self.index.get(mirror_label(stretch.label), -1)
        mirror = seen_in_mirror >= 0 and bool(rng.random() < 0.5)  # a label that training never saw cannot be taught
        return self.clip(stretch, rng, mirror=mirror), seen_in_mirror if mirror else label

    def clip(self, stretch: Stretch, rng: np.random.Generator, *, mirror: bool) -> NDArray[np.uint8]:
        """A clip (T, H, W, 3) from anywhere in a stretch, a little faster or slower than it was, and augmented.

        With flow, the fields (T, h, w, 2) of frames at their own speed; the last of each run is between two runs.
        """
        if self.stage.flow is not None:
            return self._flow_clip(stretch, rng, mirror=mirror)
        steps = np.arange(self.stage.num_frames) * self.stage.frame_stride * rng.uniform(*SPEED)
        span = int(steps[-1]) + 1
        first = int(rng.integers(0, max(1, stretch.end - stretch.first - span + 1)))
        rows = stretch.rows(first + steps.astype(np.int64))
        return augmented_clip(stretch.source.frames[rows], rng, STRONG_JITTER, mirror=mirror)

    def _flow_clip(self, stretch: Stretch, rng: np.random.Generator, *, mirror: bool) -> NDArray[np.uint8]:
        steps = np.arange(self.stage.num_frames) * self.stage.frame_stride
        first = int(rng.integers(0, max(1, stretch.end - stretch.first - int(steps[-1]))))
        fields = self.flow[stretch.source][stretch.rows(first + steps)]  # (T, h, w, 2)
        return augmented_flow(fields, rng, mirror=mirror)

    def inputs(self, clips: Tensor) -> Tensor:
        """Clips of a batch as the network takes them."""
        if self.stage.flow is not None:
            return stacked_flow(clips, self.stage.flow)
        frames = self.stage.norm(clips.permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
        return frames.transpose(1, 2) if isinstance(self.net, Tsn) else frames

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy with smoothed labels."""
        logits = net(self.inputs(batch["clips"]))  # (N, num_classes)
        return {"label": _smoothed_loss(logits, batch["labels"])}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Share of held-out stretches whose label, and whose states alone, come out right."""
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, self.stage)
        truth = [stretch.label for stretch in self.held_out]
        found = [self._classify(classifier, stretch) for stretch in self.held_out]
        pairs = list(zip(truth, found, strict=True))
        right = sum(t == f for t, f in pairs)
        right_states = sum(t[1:] == f[1:] for t, f in pairs)
        total = max(len(pairs), 1)
        figures = {"accuracy": right / total, "stretches": len(pairs), "labels": len(self.label_list)}
        return figures if self.kind == "action" else {**figures, "state_accuracy": right_states / total}

    def _classify(self, classifier: ClipClassifier, stretch: Stretch) -> GroupLabel:
        """The likeliest label of a stretch, from the clips that the stage would take."""
        times = np.arange(stretch.end - stretch.first) / (self.stage.frame_rate or 1.0)
        rows = stretch.rows(clip_frame_indices(times, self.stage))  # (num_clips, T)
        scores = classifier.scores(classifier.inputs(stretch.source.frames[rows]))
        return self.label_list[int(scores.argmax())]

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.actions."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """One list for each output of the network: the action, then the states."""
        return {"labels": list(map(list, self.label_list))}


class ActionTask(ClipTask):
    """The action of videos; what the part groups do meanwhile is asked too, of layers that are dropped after training.

    The states say more of a clip than its action: with few videos the network learns to look at the people. The state
    networks start from what it learnt.
    """

    def __init__(
        self,
        train: Sequence[Stretch],
        held_out: Sequence[Stretch],
        config: CsnConfig | TsnConfig,
        stage: ClipConfig,
        *,
        report: Report = say_nothing,
    ) -> None:
        """`train`: segments, with the labels of their groups; `held_out`: whole videos."""
        super().__init__("action", train, held_out, config, stage, report=report)
        self.group_indices = [
            _numbered(stretch.group_labels[g] for stretch in self.stretches) for g in range(len(GROUPS))
        ]
        self.helper = nn.ModuleList(nn.Linear(config.widths[-1], max(1, len(index))) for index in self.group_indices)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Clips from segments drawn at random; labels of their groups (N, 6), -1 where there is none."""
        rows = rng.integers(0, len(self.stretches), self.settings.batch_size)
        mirrors = rng.random(len(rows)) < 0.5
        stretches = [self.stretches[row] for row in rows]
        clips = [self.clip(s, rng, mirror=bool(m)) for s, m in zip(stretches, mirrors, strict=True)]
        group_labels = [self._group_labels(s, bool(m)) for s, m in zip(stretches, mirrors, strict=True)]
        return {
            "clips": torch.from_numpy(np.stack(clips)),
            "labels": torch.tensor([self.index[stretch.label] for stretch in stretches]),
            "group_labels": torch.tensor(group_labels),
            NAMES: [stretch.name for stretch in stretches],
        }

    def _group_labels(self, stretch: Stretch, mirror: bool) -> list[int]:
        labels = [mirror_label(label) if mirror and label else label for label in stretch.group_labels]
        return [index.get(label, -1) if label else -1 for index, label in zip(self.group_indices, labels, strict=True)]

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the action, and the mean over the groups of that of their labels; labels smoothed."""
        assert isinstance(net, Csn | Tsn)
        assert isinstance(self.helper, nn.ModuleList)
        features = net.features(self.inputs(batch["clips"]))  # (N, C), or (N, S, C) of a TSN
        features = features.mean(dim=1) if isinstance(net, Tsn) else features  # (N, C)
        of_groups = [
            _smoothed_loss(layer(net.cls_head.dropout(features)), batch["group_labels"][:, group])
            for group, layer in enumerate(self.helper)
        ]
        return {
            "label": _smoothed_loss(net.cls_head(features), batch["labels"]),
            "groups": GROUPS_WEIGHT * torch.stack(of_groups).mean(),
        }

    def starts(self) -> Mapping[str, Start]:
        """For each group the network with the layer that named the group's labels."""
        assert isinstance(self.helper, nn.ModuleList)
        starts = {}
        for group, layer, index in zip(GROUPS, self.helper, self.group_indices, strict=True):
            net = _build(self.net.config, max(1, len(index)))
            net.backbone.load_state_dict(self.net.backbone.state_dict())
            net.cls_head.fc_cls.load_state_dict(layer.state_dict())
            starts[f"states-{group}"] = Start(net, {"labels": list(map(list, index))})
        return starts

    def adopt(self, starts: Mapping[str, Start]) -> tuple[str, ...]:
        """Begin with the layers that named the groups' labels; labels that are new stay fresh."""
        assert isinstance(self.helper, nn.ModuleList)
        adopted = []
        for group, layer, index in zip(GROUPS, self.helper, self.group_indices, strict=True):
            start = starts.get(f"states-{group}")
            if start is None:
                continue
            adopted.append(f"states-{group}")
            earlier = {tuple(label): row for row, label in enumerate(start.labels.get("labels", ()))}
            known = {row: earlier[label] for label, row in index.items() if label in earlier}
            trained = start.net.get_submodule("cls_head.fc_cls")
            with torch.no_grad():
                for name, parameter in layer.named_parameters():
                    parameter[list(known)] = trained.get_parameter(name)[list(known.values())]
        return tuple(adopted)


def _build(config: CsnConfig | TsnConfig, num_classes: int) -> Csn | Tsn:
    if isinstance(config, TsnConfig):
        return Tsn(replace(config, num_classes=num_classes))
    return Csn(replace(config, num_classes=num_classes))


def _flow_of(source: ClipSource, flow: FlowInput, report: Report) -> FlowBytes:
    name = hashlib.sha256(json.dumps(config_to_dict(flow), sort_keys=True).encode()).hexdigest()[:12]
    return cached_flow(source.frames, source.offsets, source.folder / f"flow-{name}.npy", flow, report=report)


def _numbered(labels: Iterable[GroupLabel | None]) -> dict[GroupLabel, int]:
    """Numbers for the labels that occur, in sorted order."""
    return {label: number for number, label in enumerate(sorted({label for label in labels if label is not None}))}


def _smoothed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (N, C) with smoothed labels (N,); 0 where all are -1."""
    losses = F.cross_entropy(
        logits.float(), labels, ignore_index=-1, label_smoothing=LABEL_SMOOTHING, reduction="none"
    )  # (N,)
    return losses.sum() / (labels >= 0).sum().clamp(min=1)


def stacked_flow(fields: Tensor, flow: FlowInput) -> Tensor:
    """Fields (N, T, h, w, 2) of clips -> (N, S, 2 * num_fields, h, w) normalised; the last of each run is dropped."""
    runs = fields.view(len(fields), -1, flow.run, *fields.shape[2:])[:, :, : flow.num_fields]  # (N, S, F, h, w, 2)
    return normalised_flow(runs.permute(0, 1, 2, 5, 3, 4).flatten(2, 3))


def augmented_flow(fields: FlowBytes, rng: np.random.Generator, *, mirror: bool) -> FlowBytes:
    """One random zoom and shift for all fields (T, h, w, 2) of a clip; lengths of motion stay as they are."""
    height, width = fields.shape[1:3]
    matrix = _moved(height, width, rng)
    if mirror:
        matrix, fields = mirrored(matrix, width), fields.copy()
        fields[..., 0] = 255 - fields[..., 0]
    return np.stack([warp(field, matrix, (height, width), fill=128) for field in fields])


def augmented_clip(
    clip: NDArray[np.uint8], rng: np.random.Generator, jitter: ColorJitter, *, mirror: bool
) -> NDArray[np.uint8]:
    """One random zoom, shift and colour for all frames of a clip (T, H, W, 3)."""
    height, width = clip.shape[1:3]
    matrix = _moved(height, width, rng)
    if mirror:
        matrix = mirrored(matrix, width)
    fill = int(rng.integers(0, 256))
    moved = np.stack([warp(frame, matrix, (height, width), fill=fill) for frame in clip])
    return recolor(moved.reshape(-1, width, 3), rng, jitter).reshape(clip.shape)


def _moved(height: int, width: int, rng: np.random.Generator) -> Matrix:
    center = (width / 2, height / 2)
    x, y = np.array(center) + rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * (width, height)
    return about(center, zoom=rng.uniform(*ZOOM), degrees=0, to=(x, y))
