"""Tasks of the clip networks, the action of videos or the states of a part group, and the tiny networks' recipes."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.progress import Report, discard_line
from actparse.core.vocabulary import GROUPS, NUM_KEYPOINTS, GroupLabel, mirror_label
from actparse.data.frames.intervals import (
    ClipSource,
    Interval,
    LabelledVideo,
    around_frames,
    segments,
)
from actparse.data.pseudo_labels import Pairs
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.keypoints import KEYPOINT_STAGE, KeypointHead, keypoint_loss
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig, clip_frame_indices, clip_image
from actparse.stages.actions.clip_inputs import FlowInput, normalised_flow
from actparse.stages.threads import in_threads
from actparse.training.loop import ranks
from actparse.training.recipes.hyperparameters import Hyperparameters, Level, Mirror
from actparse.training.samples.flow import cached_flow
from actparse.training.task import NAMES, Batch, SampledTask, Start, TaskSettings
from actparse.video.augmentation import mirrored, move_keypoints
from actparse.video.flow import mirror_flow_bytes
from actparse.video.transforms import mirror
from actparse.weights.bundle import config_to_dict
from actparse.weights.label_rows import with_shared_rows

Frames = NDArray[np.uint8]  # (T, H, W, C): RGB frames, or flow fields with two channels
Keypoints = NDArray[np.float32]  # (T, 17, 3) of the main performer: x, y, visibility 0 (also: unknown), 1 or 2

IN_MIRROR = mirrored(np.eye(2, 3), 1.0)  # of keypoints in shares of the frame's sides
SEGMENT_SECONDS = 3.0  # length of segments of a video that have one label
CHECK_INTERVALS = 200  # held-out intervals for a check during training, at most
SAMPLES_PER_CHECKED = 20  # training samples for each: whole frames without gradients cost 3 to 4 % of an epoch


class ClipHyperparameters(Hyperparameters):
    """What the tasks need to know from the hyperparameters of a clip network."""

    label_smoothing: float  # share of each label that is spread over all labels
    groups_weight: float  # weight of the loss of the auxiliary heads for the groups
    keypoints_weight: float = 0.0  # weight of the loss of the auxiliary head for the keypoints
    mirror: Mirror  # how half of the clips are mirrored
    level: Level | None  # unit with one label; None: segments
    segment_seconds: float | None  # length of a segment, about; None: SEGMENT_SECONDS
    num_train_clips: int = 1  # clips of an interval in one training sample
    pairs: Pairs = "joint"  # labels of paired groups
    frame_stride_evaluated: int = 1  # annotated frames from one labelled single frame to the next

    @abstractmethod
    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""

    @abstractmethod
    def net(self, num_classes: int) -> CsnConfig | TsnConfig:
        """Return the network's config."""

    @abstractmethod
    def stage(self) -> ClipConfig:
        """Return the settings of the trained network."""

    @abstractmethod
    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the positions (T,) of a sample's frames in an interval of `num_frames`."""

    @abstractmethod
    def cut(self, frames: Frames, keypoints: Keypoints, rng: np.random.Generator) -> tuple[Frames, Keypoints]:
        """Apply a random crop or motion, and a random change of colour, to all frames of a sample.

        `keypoints` (T, 17, 3) in pixels of the frames become shares of the result's sides, if the network learns them.
        """

    def labelled(self, videos: Iterable[LabelledVideo], groups: Sequence[str] = GROUPS) -> tuple[Interval, ...]:
        """Return the units with one label: segments, or clips around single frames, with the states of `groups`."""
        videos = (replace(video, pairs=self.pairs) for video in videos)
        if self.level == "frame":
            length = self.stage().num_frames * self.stage().frame_stride
            return around_frames(videos, length, stride=self.frame_stride_evaluated, groups=groups)
        return segments(videos, self.segment_seconds or SEGMENT_SECONDS, groups)


@dataclass(frozen=True)
class ClipSample:
    """Frames (T, H, W, C) or flow fields, and labels as indices; -1 for a group without a label."""

    name: str
    frames: Frames
    keypoints: Keypoints
    label: int
    group_labels: tuple[int, ...] = ()  # (6,), or none


class ClipTask(SampledTask):
    """A clip network on labelled intervals of videos; a clip is augmented and mirrored as a whole."""

    hyperparameters: ClipHyperparameters
    stage: ClipConfig

    def __init__(
        self,
        kind: str,
        train: Sequence[Interval],
        held_out: Sequence[Interval],
        hyperparameters: ClipHyperparameters,
        *,
        report: Report = discard_line,
    ) -> None:
        """Build the network for the labels of `train`; compute the flow if the stage needs it and there are no files.

        `kind` is "action", or "states-" and a part group.

        Raises:
            DataError: the training split has no labelled interval.
        """
        if not train:
            raise DataError(f"{kind}: the training split has no labelled interval of frames")
        self.kind, self.hyperparameters = kind, hyperparameters
        self.settings, self.stored_as = hyperparameters.settings(), hyperparameters.stored_as
        stage = hyperparameters.stage()
        is_of_frames = hyperparameters.level == "frame" and kind != "action"
        self.stage = replace(stage, num_clips=1) if is_of_frames else stage
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
        positions = self.hyperparameters.draw(interval.end - interval.first, rng)
        keypoints = np.zeros((len(positions), NUM_KEYPOINTS, 3), np.float32)
        if interval.keypoints is not None:
            keypoints = interval.keypoints[np.minimum(positions, len(interval.keypoints) - 1)]
        clip, keypoints = self.hyperparameters.cut(self._read(interval, positions), keypoints, rng)
        if is_mirrored:
            clip = mirror(clip) if self.stage.flow is None else mirror_flow_bytes(clip)
            keypoints = move_keypoints(IN_MIRROR, keypoints, mirror=True)
        return ClipSample(interval.name, np.ascontiguousarray(clip), keypoints, label, group_labels)

    def draw_labels(self, interval: Interval, rng: np.random.Generator) -> tuple[int, tuple[int, ...], bool]:
        """Return the label of a sample, the labels of its groups, and whether it is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.hyperparameters.mirror != "off"
        label = self.index[interval.label]
        if self.hyperparameters.mirror != "sides":
            return label, (), is_mirrored
        other = self.index.get(mirror_label(interval.label), -1)  # -1: not a label of the network, so no mirror
        is_mirrored = is_mirrored and other >= 0
        return other if is_mirrored else label, (), is_mirrored

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
            "keypoints": torch.from_numpy(np.stack([sample.keypoints for sample in samples])),
            "labels": torch.tensor([sample.label for sample in samples]),
            "group_labels": torch.tensor([sample.group_labels for sample in samples]),
            NAMES: [sample.name for sample in samples],
        }

    def inputs(self, clips: Tensor) -> Tensor:
        """Convert clips (N, T, H, W, C) to the network's input."""
        if self.stage.flow is not None:
            return stacked_flow(clips, self.stage.flow.num_fields)
        frames: Tensor = self.stage.norm(clips.permute(0, 4, 1, 2, 3))  # (N, 3, T, H, W)
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
        return self._measure(net, device, self.held_out, self.stage)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the same on a few held-out intervals with as many clips as in training, so that it takes little."""
        count = min(len(self.held_out), CHECK_INTERVALS, -(-self.num_samples // SAMPLES_PER_CHECKED))
        chosen = np.linspace(0, len(self.held_out) - 1, count).round().astype(int)
        stage = replace(self.stage, num_clips=self.hyperparameters.num_train_clips)
        return self._measure(net, device, [self.held_out[index] for index in chosen], stage)

    def _measure(
        self, net: nn.Module, device: torch.device, intervals: Sequence[Interval], stage: ClipConfig
    ) -> dict[str, Any]:
        assert isinstance(net, Csn | Tsn)
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, stage)
        scored = in_threads(lambda i: classifier.scores(self._clips(classifier, i)), ranks.shard(intervals))
        pairs = ranks.gathered([(interval.label, self.label_list[int(scores.argmax())]) for interval, scores in scored])
        metrics: dict[str, Any] = {"accuracy": sum(t == p for t, p in pairs) / max(len(pairs), 1)}
        if self.metric == "state_accuracy":
            metrics["state_accuracy"] = sum(t[1:] == p[1:] for t, p in pairs) / max(len(pairs), 1)
        return {**metrics, "intervals": len(pairs), "labels": len(self.label_list)}

    def _clips(self, classifier: ClipClassifier, interval: Interval) -> Tensor:
        """Return the network's input for the clips of an interval that the stage would use."""
        times = np.arange(interval.end - interval.first) / (self.stage.frame_rate or 1.0)
        positions = clip_frame_indices(times, classifier.config)  # (num_clips, T)
        images = self._read(interval, positions)
        flow = self.stage.flow
        if flow is None or flow.tvl1.short_side is None:  # else the flow has a size of its own
            images = np.stack([clip_image(image, self.stage) for image in images])
        clips = images.reshape(len(positions), -1, *images.shape[1:])
        return classifier.inputs(clips) if flow is None else self.inputs(torch.from_numpy(clips).to(classifier.device))

    def labels(self) -> Mapping[str, Any]:
        """Return one list for each output of the network: the action, then the states."""
        return {"labels": list(map(list, self.label_list))}


class AuxiliaryHeads(nn.Module):
    """The heads of an action network that are dropped after training: one for each group, and for the keypoints."""

    def __init__(self, groups: Sequence[nn.Module], keypoints: KeypointHead | None) -> None:
        super().__init__()
        for index, head in enumerate(groups):
            self.add_module(str(index), head)
        self.groups = tuple(groups)  # no module of their own, so that checkpoints name them by their indices
        self.keypoints = keypoints


class ActionTask(ClipTask):
    """The action of videos, with auxiliary heads for the states of the part groups and for the keypoints.

    States and keypoints describe a clip in more detail than its action: with few videos, they make the network attend
    to the people. The heads are dropped after training; the state networks start from the trained network and from the
    heads of the groups.
    """

    def __init__(
        self,
        train: Sequence[Interval],
        held_out: Sequence[Interval],
        hyperparameters: ClipHyperparameters,
        *,
        report: Report = discard_line,
    ) -> None:
        """Build the network; `train` are segments with the labels of their groups, `held_out` are whole videos."""
        super().__init__("action", train, held_out, hyperparameters, report=report)
        self.group_indices = [
            _index_by_label(interval.group_labels[g] for interval in self.intervals) for g in range(len(GROUPS))
        ]
        widths, has_keypoints = self.net.config.widths, any(interval.keypoints is not None for interval in train)
        learns_keypoints = has_keypoints and hyperparameters.keypoints_weight > 0 and isinstance(self.net, Csn)
        self.helper = AuxiliaryHeads(
            [nn.Linear(widths[-1], max(1, len(index))) for index in self.group_indices],
            KeypointHead(widths[KEYPOINT_STAGE]) if learns_keypoints else None,
        )

    def draw_labels(self, interval: Interval, rng: np.random.Generator) -> tuple[int, tuple[int, ...], bool]:
        """Return the action, the labels of the groups, -1 for none, and whether the sample is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.hyperparameters.mirror != "off"
        labels = [mirror_label(label) if is_mirrored and label else label for label in interval.group_labels]
        pairs = zip(self.group_indices, labels, strict=True)
        group_labels = tuple(index.get(label, -1) if label else -1 for index, label in pairs)
        return self.index[interval.label], group_labels, is_mirrored

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the action, its mean over the groups' labels, and the keypoints' error."""
        assert isinstance(net, Csn | Tsn)
        assert isinstance(self.helper, AuxiliaryHeads)
        losses, inputs = {}, self.inputs(batch["clips"])
        if isinstance(net, Tsn):
            features = net.features(inputs).mean(dim=1)  # (N, C)
        else:
            stages = net.stage_features(inputs)
            features = net.pooled(stages[-1])  # (N, C)
            if self.helper.keypoints is not None:
                error = keypoint_loss(
                    self.helper.keypoints(stages[KEYPOINT_STAGE], inputs.shape[-2:]), batch["keypoints"]
                )
                losses["keypoints"] = self.hyperparameters.keypoints_weight * error
        group_losses = [
            self.label_loss(layer(net.cls_head.dropout(features)), batch["group_labels"][:, group])
            for group, layer in enumerate(self.helper.groups)
        ]
        losses["groups"] = self.hyperparameters.groups_weight * torch.stack(group_losses).mean()
        return {"label": self.label_loss(net.cls_head(features), batch["labels"]), **losses}

    def starts(self) -> Mapping[str, Start]:
        """Return for each group the network with the auxiliary layer that was trained on the group's labels."""
        assert isinstance(self.helper, AuxiliaryHeads)
        starts = {}
        for group, layer, index in zip(GROUPS, self.helper.groups, self.group_indices, strict=True):
            net = _network(self.hyperparameters.net(max(1, len(index))))
            net.backbone.load_state_dict(self.net.backbone.state_dict())
            net.cls_head.fc_cls.load_state_dict(layer.state_dict())
            starts[f"states-{group}"] = Start(net, {"labels": list(map(list, index))})
        return starts

    def adopt(self, starts: Mapping[str, Start]) -> tuple[str, ...]:
        """Initialise the auxiliary layers from `starts`, new labels from the stored mean; return those that fit."""
        assert isinstance(self.helper, AuxiliaryHeads)
        adopted = []
        for group, layer, index in zip(GROUPS, self.helper.groups, self.group_indices, strict=True):
            start = starts.get(f"states-{group}")
            start_labels = [] if start is None else list(map(tuple, start.labels.get("labels", ())))
            if start is None or index.keys().isdisjoint(start_labels):
                continue
            adopted.append(f"states-{group}")
            trained = start.net.get_submodule("cls_head.fc_cls").state_dict()
            for name, value in layer.state_dict().items():
                rows = with_shared_rows(value, trained[name], list(index), start_labels, mean_for_new=True)
                assert rows is not None
                value.copy_(rows)
        return tuple(adopted)


def _network(config: CsnConfig | TsnConfig) -> Csn | Tsn:
    return Tsn(config) if isinstance(config, TsnConfig) else Csn(config)


def _with_flow(intervals: Sequence[Interval], flow: FlowInput, report: Report) -> tuple[Interval, ...]:
    """Replace frames by the flow to the next ones, except in intervals of flow files; computed flow is cached."""
    digest = hashlib.sha256(json.dumps(config_to_dict(flow), sort_keys=True).encode()).hexdigest()[:12]
    sources: dict[Any, Any] = {}
    for source in {interval.source for interval in intervals if isinstance(interval.source, ClipSource)}:
        fields = cached_flow(source.frames, source.offsets, source.folder / f"flow-{digest}.npy", flow, report=report)
        sources[source] = replace(source, frames=fields)
    return tuple(replace(interval, source=sources.get(interval.source, interval.source)) for interval in intervals)


def _index_by_label(labels: Iterable[GroupLabel | None]) -> dict[GroupLabel, int]:
    """Map the labels that occur to their indices in sorted order."""
    return {label: index for index, label in enumerate(sorted({label for label in labels if label is not None}))}


def stacked_flow(fields: Tensor, num_fields: int) -> Tensor:
    """Stack fields (N, S * num_fields, h, w, 2) into (N, S, 2 * num_fields, h, w), normalised."""
    runs = fields.view(len(fields), -1, num_fields, *fields.shape[2:])  # (N, S, F, h, w, 2)
    return normalised_flow(runs.permute(0, 1, 2, 5, 3, 4).flatten(2, 3))
