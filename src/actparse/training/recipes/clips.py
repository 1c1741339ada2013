"""Tasks of the clip networks, the action of videos or the states of a part group, and the tiny networks' recipes."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from actparse.core.errors import DataError
from actparse.core.progress import Report, discard_line
from actparse.core.ranges import Count, Factors, NotNegative, Positive, Share
from actparse.core.vocabulary import GROUPS, GroupLabel, mirror_label
from actparse.data.frames.intervals import (
    ClipSource,
    Interval,
    LabelledVideo,
    around_frames,
    segments,
    store_videos,
    whole_videos,
    with_states,
)
from actparse.data.pseudo_labels import Pairs
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.stages.actions.classifier import ClipClassifier, ClipConfig, clip_frame_indices, clip_image
from actparse.stages.actions.clip_inputs import FlowInput, normalised_flow
from actparse.stages.threads import in_threads
from actparse.synth.dataset import is_synthetic
from actparse.training.loop import ranks
from actparse.training.options import TrainOptions
from actparse.training.recipes import tiny
from actparse.training.recipes.hyperparameters import Hyperparameters, Inputs, Level, Mirror, OneCycle
from actparse.training.rendered.clip_stream import ClipStreamConfig, open_clip_stream
from actparse.training.samples.flow import cached_flow
from actparse.training.samples.splits import cache_folder, open_stores
from actparse.training.task import NAMES, Batch, SampledTask, Start, Task, TaskSettings
from actparse.video.augmentation import STRONG_JITTER, random_zoom, recolor, warp
from actparse.video.flow import mirror_flow_bytes
from actparse.video.segments import expect_segment_seconds
from actparse.video.transforms import mirror
from actparse.weights.bundle import config_to_dict
from actparse.weights.label_rows import with_shared_rows

Frames = NDArray[np.uint8]  # (T, H, W, C): RGB frames, or flow fields with two channels

SEGMENT_SECONDS = 3.0  # length of segments of a video that have one label
CHECK_INTERVALS = 200  # held-out intervals for a check during training, at most
SAMPLES_PER_CHECKED = 20  # training samples for each: whole frames without gradients cost 3 to 4 % of an epoch


class ClipHyperparameters(Hyperparameters):
    """What the tasks need to know from the hyperparameters of a clip network."""

    label_smoothing: float  # share of each label that is spread over all labels
    groups_weight: float  # weight of the auxiliary heads' loss
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
    def cut(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """Apply a random crop or motion, and a random change of colour, to all frames of a sample."""

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
        report: Report = discard_line,
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
            start_labels = list(map(tuple, start.labels.get("labels", ())))
            trained = start.net.get_submodule("cls_head.fc_cls").state_dict()
            for name, value in layer.state_dict().items():
                rows = with_shared_rows(value, trained[name], list(index), start_labels)
                if rows is not None:
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


@dataclass(frozen=True, kw_only=True)
class TinyClips(OneCycle, ClipHyperparameters):
    """Hyperparameters of a tiny clip network, for the action with auxiliary heads for the states, or for states."""

    batch_size: Count = 16
    learning_rate: Positive = 2.5e-3
    label_smoothing: Share = 0.05
    groups_weight: NotNegative = 2.4  # weight of the auxiliary heads' loss
    mirror: Mirror = "sides"
    zoom: Factors = (0.85, 1.3)
    max_shift: NotNegative = 0.095  # share of the frame's sides
    speed: Factors = (0.8, 1.25)  # range of the factor of the motion's speed
    # Unit with one label; None: segments of about 3 s, and in addition rendered clips, with one label for two seconds.
    level: Level | None = None
    segment_seconds: float | None = None
    net_config: CsnConfig | TsnConfig = tiny.CLIPS_NET
    stage_config: ClipConfig = tiny.CLIPS_STAGE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.segment_seconds is not None:
            expect_segment_seconds(self.segment_seconds, "train: segment_seconds")

    @property
    def has_level(self) -> bool:
        """Whether a unit with one label was requested."""
        return self.level is not None or self.segment_seconds is not None

    def net(self, num_classes: int) -> CsnConfig | TsnConfig:
        """Return the network's config."""
        return replace(self.net_config, num_classes=num_classes)

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network."""
        return self.stage_config

    def draw(self, num_frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw a clip's positions (T,) in an interval of `num_frames`, with a random speed except for flow."""
        speed = 1.0 if self.stage_config.flow else rng.uniform(*self.speed)
        steps = np.arange(self.stage_config.num_frames) * self.stage_config.frame_stride * speed
        first = rng.integers(0, max(1, num_frames - int(steps[-1])))
        return np.asarray(first + steps.astype(np.int64))

    def cut(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """Apply one random zoom and shift, and one colour change, to all frames; flow is only moved."""
        height, width = frames.shape[1:3]
        is_flow = self.stage_config.flow is not None
        matrix = random_zoom((height, width), rng, zoom=self.zoom, max_shift=self.max_shift)
        fill = 128 if is_flow else int(rng.integers(0, 256))
        moved = np.stack([warp(frame, matrix, (height, width), fill=fill) for frame in frames])
        return moved if is_flow else recolor(moved.reshape(-1, width, 3), rng, STRONG_JITTER).reshape(moved.shape)

    def num_rendered_clips(self, data: Path, options: TrainOptions) -> int:
        """Return the number of rendered clips in addition to a SynthTPS dataset."""
        return options.stream_clips if is_synthetic(data) and not self.has_level else 0

    def build(self, inputs: Inputs) -> Task:
        """Build the task on decoded clips, and on rendered ones for a SynthTPS dataset."""
        report, rate = inputs.options.report, self.stage_config.frame_rate or 1.0
        train, held_out = open_stores(inputs.data, inputs.run.out, inputs.options)
        intervals = self.labelled(store_videos(train, rate))
        if self.has_level:
            seconds = self.segment_seconds or SEGMENT_SECONDS
            unit = "single frames" if self.level == "frame" else f"segments of about {seconds:g} s"
            report(f"{inputs.run.name}: labels of {unit}; rendered clips are left out")
        elif self.num_rendered_clips(inputs.data, inputs.options):
            clips = open_clips(inputs.data, inputs.run.out, inputs.options)
            intervals += tuple(clip for clip in clips if clip.label[0] in train.actions)
        if inputs.group is None:
            return ActionTask(intervals, whole_videos(store_videos(held_out, rate)), self, report=report)
        held_out_intervals = with_states(self.labelled(store_videos(held_out, rate)), inputs.group)
        return ClipTask(inputs.kind, with_states(intervals, inputs.group), held_out_intervals, self, report=report)


@dataclass(frozen=True, kw_only=True)
class RenderedClips(TinyClips):
    """Hyperparameters of a clip network that learns only from rendered clips, as the paper starts from IG-65M."""

    trains_on_videos = False

    def build(self, inputs: Inputs) -> Task:
        """Build the task on rendered clips, which need a SynthTPS dataset."""
        if not self.num_rendered_clips(inputs.data, inputs.options):
            got = f"{inputs.options.stream_clips} clips for {inputs.data}"
            raise DataError(f"{inputs.run.name}: needs a SynthTPS dataset and rendered clips, got {got}")
        clips = open_clips(inputs.data, inputs.run.out, inputs.options)
        _, held_out = open_stores(inputs.data, inputs.run.out, inputs.options)
        videos = whole_videos(store_videos(held_out, self.stage_config.frame_rate or 1.0))
        return ActionTask(clips, videos, self, report=inputs.options.report)


def open_clips(data: Path, out: Path, options: TrainOptions) -> tuple[Interval, ...]:
    """Open the rendered clips that complement a SynthTPS dataset; return none for other datasets."""
    if not is_synthetic(data):
        return ()
    return open_clip_stream(cache_folder(data, out), options.stream_clips, ClipStreamConfig(), report=options.report)
