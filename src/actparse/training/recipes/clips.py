"""Tasks of the clip networks: the action of videos, or the states of a part group in intervals of videos."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.vocabulary import GROUPS, GroupLabel, mirror_label
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig, clip_frame_indices, clip_image
from actparse.stages.actions.clip_inputs import FlowInput, normalised_flow
from actparse.training.options import Report, say_nothing
from actparse.training.recipes.hyperparameters import Mirror
from actparse.training.samples.flow import cached_flow
from actparse.training.samples.intervals import ClipSource, Interval
from actparse.training.task import NAMES, Batch, SampledTask, Start, TaskSettings
from actparse.video.flow import mirror_flow_bytes
from actparse.video.transforms import mirror
from actparse.weights.bundle import config_to_dict

Frames = NDArray[np.uint8]  # (T, H, W, C): RGB frames, or flow fields with two channels

CHECK_INTERVALS = 200  # held-out intervals for a check during training


class ClipHyperparameters(Protocol):
    """What a task needs to know from the hyperparameters of a clip network."""

    stored_as: ClassVar[torch.dtype]

    @property
    def label_smoothing(self) -> float:
        """The share of each label that is spread over all labels."""
        ...

    @property
    def groups_weight(self) -> float:
        """The weight of the auxiliary heads' loss."""
        ...

    @property
    def mirror(self) -> Mirror:
        """How half of the clips are mirrored."""
        ...

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        ...

    def net(self, num_classes: int) -> CsnConfig | TsnConfig:
        """Return the network's config."""
        ...

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network."""
        ...

    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the positions (T,) of a sample's frames in an interval of `num_frames`."""
        ...

    def cut(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """Apply a random crop or motion, and a random change of colour, to all frames of a sample."""
        ...


@dataclass(frozen=True)
class ClipSample:
    """Frames (T, H, W, C) or flow fields, and labels as indices; -1 for a group without a label."""

    name: str
    frames: Frames
    label: int
    group_labels: tuple[int, ...] = ()  # (6,), or none


class ClipTask(SampledTask):
    """A clip network on labelled intervals of videos; a clip is augmented and mirrored as a whole."""

    hyperparameters: ClipHyperparameters

    def __init__(
        self,
        kind: str,
        train: Sequence[Interval],
        held_out: Sequence[Interval],
        hyperparameters: ClipHyperparameters,
        *,
        clips_per_interval: int | None = None,
        report: Report = say_nothing,
    ) -> None:
        """Build the network, and compute the flow of the frames if the stage needs it and there are no flow files.

        Args:
            kind: "action" or "states-" and a part group.
            train: labelled intervals of the training split.
            held_out: labelled intervals to evaluate on.
            hyperparameters: of the network.
            clips_per_interval: of the stage; None is the default of the hyperparameters.
            report: receives lines of progress.

        Raises:
            DataError: the training split has no labelled interval.
        """
        if not train:
            raise DataError(f"{kind}: the training split has no labelled interval of frames")
        self.kind, self.hyperparameters = kind, hyperparameters
        self.settings, self.stored_as = hyperparameters.settings(), hyperparameters.stored_as
        stage = hyperparameters.stage()
        self.stage = stage if clips_per_interval is None else replace(stage, num_clips=clips_per_interval)
        self.metric = "accuracy" if kind == "action" else "state_accuracy"
        self.label_list = tuple(sorted({interval.label for interval in train}))
        self.index = _index_by_label(self.label_list)
        self.net: Csn | Tsn = _network(hyperparameters.net(len(self.label_list)))
        self.intervals, self.held_out = tuple(train), tuple(held_out)
        if self.stage.flow is not None:
            self.intervals, self.held_out = (
                _with_flow(intervals, self.stage.flow, report) for intervals in (train, held_out)
            )

    @property
    def num_samples(self) -> int:
        """Number of labelled intervals."""
        return len(self.intervals)

    def sample(self, row: int, rng: np.random.Generator) -> ClipSample:
        """Draw an augmented clip from a random place in an interval."""
        interval = self.intervals[row]
        label, group_labels, is_mirrored = self.draw_labels(interval, rng)
        frames = self._read(interval, self.hyperparameters.draw(interval.end - interval.first, rng))
        clip = self.hyperparameters.cut(frames, rng)
        if is_mirrored:
            clip = mirror(clip) if self.stage.flow is None else mirror_flow_bytes(clip)
        return ClipSample(interval.name, np.ascontiguousarray(clip), label, group_labels)

    def draw_labels(self, interval: Interval, rng: np.random.Generator) -> tuple[int, tuple[int, ...], bool]:
        """Return the label of a sample, the labels of its groups, and whether it is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.hyperparameters.mirror != "off"
        label = self.index[interval.label]
        if self.hyperparameters.mirror != "sides":
            return label, (), is_mirrored
        mirrored = self.index.get(mirror_label(interval.label), -1)  # -1: not a label of the network, so no mirror
        is_mirrored = is_mirrored and mirrored >= 0
        return mirrored if is_mirrored else label, (), is_mirrored

    def _read(self, interval: Interval, positions: NDArray[np.int64]) -> Frames:
        """Read frames at positions (..., T) in an interval, or flow fields without the last one of each run."""
        if self.stage.flow is not None:
            run = self.stage.flow.run
            positions = positions.reshape(-1, run)[:, : run - 1]
        return np.stack(interval.source.read(interval.frames(positions.ravel())))

    def collate(self, samples: Sequence[ClipSample]) -> Batch:
        """Stack samples of one size to a batch."""
        return {
            "clips": torch.from_numpy(np.stack([sample.frames for sample in samples])),
            "labels": torch.tensor([sample.label for sample in samples]),
            "group_labels": torch.tensor([sample.group_labels for sample in samples]),
            NAMES: [sample.name for sample in samples],
        }

    def inputs(self, clips: Tensor) -> Tensor:
        """Convert clips (N, T, H, W, C) to the network's input."""
        if self.stage.flow is not None:
            return stacked_flow(clips, self.stage.flow.num_fields)
        frames = self.stage.norm(clips.permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
        if frames.is_cuda:
            frames = frames.contiguous()  # depthwise kernels are slow on other layouts
        return frames.transpose(1, 2) if isinstance(self.net, Tsn) else frames

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy."""
        return {"label": self.label_loss(net(self.inputs(batch["clips"])), batch["labels"])}

    def label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy of logits (N, C) with smoothed labels (N,); 0 if all labels are -1."""
        smoothing = self.hyperparameters.label_smoothing
        losses = F.cross_entropy(
            logits.float(), labels, ignore_index=-1, label_smoothing=smoothing, reduction="none"
        )  # (N,)
        return losses.sum() / (labels >= 0).sum().clamp(min=1)

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the share of held-out intervals with the right label, and of those with the right states."""
        return self._measure(net, device, self.held_out)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the same on a few held-out intervals."""
        count = len(self.held_out)
        chosen = np.linspace(0, count - 1, min(count, CHECK_INTERVALS)).round().astype(int)
        return self._measure(net, device, [self.held_out[index] for index in chosen])

    def _measure(self, net: nn.Module, device: torch.device, intervals: Sequence[Interval]) -> dict[str, Any]:
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, self.stage)
        predicted = [self.label_list[int(classifier.scores(self._clips(classifier, i)).argmax())] for i in intervals]
        pairs = [(interval.label, label) for interval, label in zip(intervals, predicted, strict=True)]
        total = max(len(pairs), 1)
        metrics: dict[str, Any] = {"accuracy": sum(t == p for t, p in pairs) / total}
        if self.metric == "state_accuracy":
            metrics["state_accuracy"] = sum(t[1:] == p[1:] for t, p in pairs) / total
        return {**metrics, "intervals": len(pairs), "labels": len(self.label_list)}

    def _clips(self, classifier: ClipClassifier, interval: Interval) -> Tensor:
        """Return the network's input for the clips of an interval that the stage would use."""
        times = np.arange(interval.end - interval.first) / (self.stage.frame_rate or 1.0)
        positions = clip_frame_indices(times, self.stage)  # (num_clips, T)
        images = self._read(interval, positions)
        flow = self.stage.flow
        if flow is None or flow.tvl1.short_side is None:  # else the flow has a size of its own
            images = np.stack([clip_image(image, self.stage) for image in images])
        clips = images.reshape(len(positions), -1, *images.shape[1:])
        return classifier.inputs(clips) if flow is None else self.inputs(torch.from_numpy(clips).to(classifier.device))

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of the clip stage."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return one list for each output of the network: the action, then the states."""
        return {"labels": list(map(list, self.label_list))}


class ActionTask(ClipTask):
    """The action of videos, with auxiliary heads for the states of the part groups that are dropped after training.

    The states describe a clip in more detail than its action: with few videos, they make the network attend to the
    people. The state networks start from the trained network and its auxiliary heads.
    """

    def __init__(
        self,
        train: Sequence[Interval],
        held_out: Sequence[Interval],
        hyperparameters: ClipHyperparameters,
        *,
        report: Report = say_nothing,
    ) -> None:
        """Build the network; `train` are segments with the labels of their groups, `held_out` are whole videos."""
        super().__init__("action", train, held_out, hyperparameters, report=report)
        self.group_indices = [
            _index_by_label(interval.group_labels[g] for interval in self.intervals) for g in range(len(GROUPS))
        ]
        width = self.net.config.widths[-1]
        self.helper = nn.ModuleList(nn.Linear(width, max(1, len(index))) for index in self.group_indices)

    def draw_labels(self, interval: Interval, rng: np.random.Generator) -> tuple[int, tuple[int, ...], bool]:
        """Return the action, the labels of the groups, -1 for none, and whether the sample is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.hyperparameters.mirror != "off"
        labels = [mirror_label(label) if is_mirrored and label else label for label in interval.group_labels]
        pairs = zip(self.group_indices, labels, strict=True)
        group_labels = tuple(index.get(label, -1) if label else -1 for index, label in pairs)
        return self.index[interval.label], group_labels, is_mirrored

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the action, and its mean over the labels of the groups; labels are smoothed."""
        assert isinstance(net, Csn | Tsn)
        assert isinstance(self.helper, nn.ModuleList)
        features = net.features(self.inputs(batch["clips"]))  # (N, C), or (N, S, C) of a TSN
        features = features.mean(dim=1) if isinstance(net, Tsn) else features  # (N, C)
        group_losses = [
            self.label_loss(layer(net.cls_head.dropout(features)), batch["group_labels"][:, group])
            for group, layer in enumerate(self.helper)
        ]
        return {
            "label": self.label_loss(net.cls_head(features), batch["labels"]),
            "groups": self.hyperparameters.groups_weight * torch.stack(group_losses).mean(),
        }

    def starts(self) -> Mapping[str, Start]:
        """Return for each group the network with the auxiliary layer that was trained on the group's labels."""
        assert isinstance(self.helper, nn.ModuleList)
        starts = {}
        for group, layer, index in zip(GROUPS, self.helper, self.group_indices, strict=True):
            net = _network(self.hyperparameters.net(max(1, len(index))))
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


def _network(config: CsnConfig | TsnConfig) -> Csn | Tsn:
    return Tsn(config) if isinstance(config, TsnConfig) else Csn(config)


def _with_flow(intervals: Sequence[Interval], flow: FlowInput, report: Report) -> tuple[Interval, ...]:
    """Replace frames by the flow to the next ones, except in intervals of flow files; computed flow is cached."""
    digest = hashlib.sha256(json.dumps(config_to_dict(flow), sort_keys=True).encode()).hexdigest()[:12]
    sources: dict[Any, Any] = {}
    for source in {interval.source for interval in intervals}:
        sources[source] = source
        if isinstance(source, ClipSource):
            path = source.folder / f"flow-{digest}.npy"
            sources[source] = replace(
                source, frames=cached_flow(source.frames, source.offsets, path, flow, report=report)
            )
    return tuple(replace(interval, source=sources[interval.source]) for interval in intervals)


def _index_by_label(labels: Iterable[GroupLabel | None]) -> dict[GroupLabel, int]:
    """Map the labels that occur to their indices in sorted order."""
    return {label: index for index, label in enumerate(sorted({label for label in labels if label is not None}))}


def stacked_flow(fields: Tensor, num_fields: int) -> Tensor:
    """Stack fields (N, S * num_fields, h, w, 2) into (N, S, 2 * num_fields, h, w), normalised."""
    runs = fields.view(len(fields), -1, num_fields, *fields.shape[2:])  # (N, S, F, h, w, 2)
    return normalised_flow(runs.permute(0, 1, 2, 5, 3, 4).flatten(2, 3))
