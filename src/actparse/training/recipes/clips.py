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
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig, clip_frame_indices
from actparse.stages.actions.clip_inputs import FlowInput, normalised_flow
from actparse.training.options import Report, say_nothing
from actparse.training.samples.augment import STRONG_JITTER, ColorJitter, Matrix, about, mirrored, recolor, warp
from actparse.training.samples.flow_cache import cached_flow
from actparse.training.samples.stretches import ClipSource, Stretch
from actparse.training.task import NAMES, Batch, Start, Task, TaskSettings
from actparse.video.flow import FlowBytes
from actparse.weights.bundle import config_to_dict

LABEL_SMOOTHING = 0.05
ZOOM = (0.85, 1.3)
MAX_SHIFT = 0.095  # share of the frame's sides
GROUPS_WEIGHT = 2.4  # weight of the groups' labels in the loss of the action network
SPEED = (0.8, 1.25)  # range of the factor of the motion's speed


class ClipTask(Task):
    """A clip network on labelled intervals of clip frames; each clip is moved, mirrored and recoloured as a whole."""

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
        """Build the network, and compute the flow of the training clips if the stage needs it.

        Args:
            kind: "action" or "states-" and a part group.
            train: labelled intervals of the training split.
            held_out: labelled intervals to evaluate on.
            config: of the network; its number of classes is set here.
            stage: settings of the stage that will use the network.
            report: receives lines of progress.

        Raises:
            DataError: the training split has no labelled interval.
        """
        self.kind, self.stage = kind, stage
        self.metric = "accuracy" if kind == "action" else "state_accuracy"
        if not train:
            raise DataError(f"{kind}: the training split has no labelled stretch of frames")
        self.stretches, self.held_out = tuple(train), tuple(held_out)
        self.label_list = tuple(sorted({stretch.label for stretch in train}))
        self.index = _index_by_label(self.label_list)
        self.net: Csn | Tsn = _build(config, len(self.label_list))
        self.flow: dict[ClipSource, FlowBytes] = {}
        if stage.flow is not None:
            sources = {stretch.source for stretch in train}
            self.flow = {source: _flow_of(source, stage.flow, report) for source in sources}

    @property
    def num_samples(self) -> int:
        """Number of clips that fit into the labelled intervals, at least one each."""
        frames = sum(max(1, stretch.end - stretch.first) for stretch in self.stretches)
        return max(len(self.stretches), frames // self.stage.num_frames)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw clips from random intervals."""
        indices = rng.integers(0, len(self.stretches), self.settings.batch_size)
        clips, labels = zip(*(self._sample(self.stretches[index], rng) for index in indices), strict=True)
        names = [self.stretches[index].name for index in indices]
        return {"clips": torch.from_numpy(np.stack(clips)), "labels": torch.tensor(labels), NAMES: names}

    def _sample(self, stretch: Stretch, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        label = self.index[stretch.label]
        mirrored_label = self.index.get(mirror_label(stretch.label), -1)
        mirror = mirrored_label >= 0 and bool(rng.random() < 0.5)  # no mirror if its label is not one of the network's
        return self.clip(stretch, rng, mirror=mirror), mirrored_label if mirror else label

    def clip(self, stretch: Stretch, rng: np.random.Generator, *, mirror: bool) -> NDArray[np.uint8]:
        """Draw an augmented clip (T, H, W, 3) from a random place in an interval, with a random change of speed.

        With flow, return the fields (T, h, w, 2) at the original speed; the last field of each run is between two runs.
        """
        if self.stage.flow is not None:
            return self._flow_clip(stretch, rng, mirror=mirror)
        steps = np.arange(self.stage.num_frames) * self.stage.frame_stride * rng.uniform(*SPEED)
        span = int(steps[-1]) + 1
        first = int(rng.integers(0, max(1, stretch.end - stretch.first - span + 1)))
        indices = stretch.rows(first + steps.astype(np.int64))
        return augmented_clip(stretch.source.frames[indices], rng, STRONG_JITTER, mirror=mirror)

    def _flow_clip(self, stretch: Stretch, rng: np.random.Generator, *, mirror: bool) -> NDArray[np.uint8]:
        steps = np.arange(self.stage.num_frames) * self.stage.frame_stride
        first = int(rng.integers(0, max(1, stretch.end - stretch.first - int(steps[-1]))))
        fields = self.flow[stretch.source][stretch.rows(first + steps)]  # (T, h, w, 2)
        return augmented_flow(fields, rng, mirror=mirror)

    def inputs(self, clips: Tensor) -> Tensor:
        """Convert the clips of a batch to the network's input."""
        if self.stage.flow is not None:
            return stacked_flow(clips, self.stage.flow)
        frames = self.stage.norm(clips.permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
        return frames.transpose(1, 2) if isinstance(self.net, Tsn) else frames

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy with smoothed labels."""
        logits = net(self.inputs(batch["clips"]))  # (N, num_classes)
        return {"label": _smoothed_loss(logits, batch["labels"])}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the share of held-out intervals with the right label, and of those with the right states."""
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, self.stage)
        truth = [stretch.label for stretch in self.held_out]
        predicted = [self._classify(classifier, stretch) for stretch in self.held_out]
        pairs = list(zip(truth, predicted, strict=True))
        right = sum(t == p for t, p in pairs)
        right_states = sum(t[1:] == p[1:] for t, p in pairs)
        total = max(len(pairs), 1)
        metrics = {"accuracy": right / total, "stretches": len(pairs), "labels": len(self.label_list)}
        return metrics if self.kind == "action" else {**metrics, "state_accuracy": right_states / total}

    def _classify(self, classifier: ClipClassifier, stretch: Stretch) -> GroupLabel:
        """Return the likeliest label of an interval, from the clips that the stage would use."""
        times = np.arange(stretch.end - stretch.first) / (self.stage.frame_rate or 1.0)
        indices = stretch.rows(clip_frame_indices(times, self.stage))  # (num_clips, T)
        scores = classifier.scores(classifier.inputs(stretch.source.frames[indices]))
        return self.label_list[int(scores.argmax())]

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the clip stage."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return one list for each output of the network: the action, then the states."""
        return {"labels": list(map(list, self.label_list))}


class ActionTask(ClipTask):
    """The action of videos, with auxiliary layers for the states of the part groups that are dropped after training.

    The states describe a clip in more detail than its action: with few videos, they make the network attend to the
    people. The state networks start from the trained network and its auxiliary layers.
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
        """Build the network; `train` are segments with the labels of their groups, `held_out` are whole videos."""
        super().__init__("action", train, held_out, config, stage, report=report)
        self.group_indices = [
            _index_by_label(stretch.group_labels[g] for stretch in self.stretches) for g in range(len(GROUPS))
        ]
        self.helper = nn.ModuleList(nn.Linear(config.widths[-1], max(1, len(index))) for index in self.group_indices)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw clips from random segments, with the labels of their groups (N, 6), -1 for none."""
        indices = rng.integers(0, len(self.stretches), self.settings.batch_size)
        mirrors = rng.random(len(indices)) < 0.5
        stretches = [self.stretches[index] for index in indices]
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
        """Return the cross-entropy of the action, and its mean over the labels of the groups; labels are smoothed."""
        assert isinstance(net, Csn | Tsn)
        assert isinstance(self.helper, nn.ModuleList)
        features = net.features(self.inputs(batch["clips"]))  # (N, C), or (N, S, C) of a TSN
        features = features.mean(dim=1) if isinstance(net, Tsn) else features  # (N, C)
        group_losses = [
            _smoothed_loss(layer(net.cls_head.dropout(features)), batch["group_labels"][:, group])
            for group, layer in enumerate(self.helper)
        ]
        return {
            "label": _smoothed_loss(net.cls_head(features), batch["labels"]),
            "groups": GROUPS_WEIGHT * torch.stack(group_losses).mean(),
        }

    def starts(self) -> Mapping[str, Start]:
        """Return for each group the network with the auxiliary layer that was trained on the group's labels."""
        assert isinstance(self.helper, nn.ModuleList)
        starts = {}
        for group, layer, index in zip(GROUPS, self.helper, self.group_indices, strict=True):
            net = _build(self.net.config, max(1, len(index)))
            net.backbone.load_state_dict(self.net.backbone.state_dict())
            net.cls_head.fc_cls.load_state_dict(layer.state_dict())
            starts[f"states-{group}"] = Start(net, {"labels": list(map(list, index))})
        return starts

    def adopt(self, starts: Mapping[str, Start]) -> tuple[str, ...]:
        """Initialise the auxiliary layers from those of `starts`; weights of new labels stay random."""
        assert isinstance(self.helper, nn.ModuleList)
        adopted = []
        for group, layer, index in zip(GROUPS, self.helper, self.group_indices, strict=True):
            start = starts.get(f"states-{group}")
            if start is None:
                continue
            adopted.append(f"states-{group}")
            start_rows = {tuple(label): row for row, label in enumerate(start.labels.get("labels", ()))}
            copied_rows = {row: start_rows[label] for label, row in index.items() if label in start_rows}
            trained = start.net.get_submodule("cls_head.fc_cls")
            with torch.no_grad():
                for name, parameter in layer.named_parameters():
                    parameter[list(copied_rows)] = trained.get_parameter(name)[list(copied_rows.values())]
        return tuple(adopted)


def _build(config: CsnConfig | TsnConfig, num_classes: int) -> Csn | Tsn:
    if isinstance(config, TsnConfig):
        return Tsn(replace(config, num_classes=num_classes))
    return Csn(replace(config, num_classes=num_classes))


def _flow_of(source: ClipSource, flow: FlowInput, report: Report) -> FlowBytes:
    name = hashlib.sha256(json.dumps(config_to_dict(flow), sort_keys=True).encode()).hexdigest()[:12]
    return cached_flow(source.frames, source.offsets, source.folder / f"flow-{name}.npy", flow, report=report)


def _index_by_label(labels: Iterable[GroupLabel | None]) -> dict[GroupLabel, int]:
    """Map the labels that occur to their indices in sorted order."""
    return {label: index for index, label in enumerate(sorted({label for label in labels if label is not None}))}


def _smoothed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (N, C) with smoothed labels (N,); 0 if all labels are -1."""
    losses = F.cross_entropy(
        logits.float(), labels, ignore_index=-1, label_smoothing=LABEL_SMOOTHING, reduction="none"
    )  # (N,)
    return losses.sum() / (labels >= 0).sum().clamp(min=1)


def stacked_flow(fields: Tensor, flow: FlowInput) -> Tensor:
    """Stack fields (N, T, h, w, 2) into (N, S, 2 * num_fields, h, w), normalised, without the last one of each run."""
    runs = fields.view(len(fields), -1, flow.run, *fields.shape[2:])[:, :, : flow.num_fields]  # (N, S, F, h, w, 2)
    return normalised_flow(runs.permute(0, 1, 2, 5, 3, 4).flatten(2, 3))


def augmented_flow(fields: FlowBytes, rng: np.random.Generator, *, mirror: bool) -> FlowBytes:
    """Apply one random zoom and shift to all fields (T, h, w, 2) of a clip; the lengths of the flow do not change."""
    height, width = fields.shape[1:3]
    matrix = _moved(height, width, rng)
    if mirror:
        matrix, fields = mirrored(matrix, width), fields.copy()
        fields[..., 0] = 255 - fields[..., 0]
    return np.stack([warp(field, matrix, (height, width), fill=128) for field in fields])


def augmented_clip(
    clip: NDArray[np.uint8], rng: np.random.Generator, jitter: ColorJitter, *, mirror: bool
) -> NDArray[np.uint8]:
    """Apply one random zoom, shift and colour change to all frames of a clip (T, H, W, 3)."""
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
