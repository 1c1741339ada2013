"""The full-size video networks as tasks: clips are decoded, cropped and mirrored on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from actparse.core.errors import DataError
from actparse.core.vocabulary import mirror_label
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.tsn import Tsn
from actparse.stages.actions.classifier import ClipClassifier, clip_frame_indices, clip_image
from actparse.stages.actions.clip_inputs import FlowInput
from actparse.stages.inputs import InputNorm
from actparse.training.paper.action import ClipNumbers, CsnNumbers
from actparse.training.paper.flow_reader import read_flow
from actparse.training.paper.spans import Span
from actparse.training.paper.splits import Image, Split, read_images
from actparse.training.paper.tsn import TsnFlowNumbers, TsnRgbNumbers
from actparse.training.task import NAMES, Batch, SampledTask
from actparse.video.flow import mirror_flow_bytes
from actparse.video.sampling import clip_indices, train_clip_offsets
from actparse.video.transforms import (
    crop,
    flow_to_stacks,
    frames_to_clips,
    mirror,
    multiscale_crop_boxes,
    random_resized_crop_box,
    resize,
    resize_short_side,
)
from actparse.weights.bundle import config_to_dict

CHECK_SPANS = 200  # held-out spans for a check during training
Sample = tuple[str, NDArray[np.uint8], int]  # name, input of the network, label
Labelled = tuple[Split, Sequence[Span]]


class SpansTask(SampledTask):
    """Training on clips of labelled spans of videos; the labels are those of the training spans."""

    stored_as = torch.float32  # as the public checkpoints
    num_places = 1  # clips of a span in one training sample

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, hyperparameters: ClipNumbers) -> None:
        """Build the task from `train` and `held_out`: videos and their labelled spans.

        Raises:
            DataError: there is no labelled span to train on.
        """
        self.kind, self.numbers = kind, hyperparameters
        self.train, self.spans = train
        self.held_out, self.held_out_spans = held_out
        if not self.spans:
            raise DataError(f"{self.train.index.root}: no labelled span of a video to train {kind} on")
        self.settings, self.stage = hyperparameters.settings(), hyperparameters.stage()
        self.label_list = tuple(sorted({span.label for span in self.spans}))
        self.index = {label: index for index, label in enumerate(self.label_list)}
        self.metric = "accuracy" if len(self.label_list[0]) == 1 else "state_accuracy"

    @property
    def num_samples(self) -> int:
        """The number of labelled spans."""
        return len(self.spans)

    def sample(self, row: int, rng: np.random.Generator) -> Sample:
        """Sample `num_places` clips of a span at random positions."""
        span = self.spans[row]
        label, is_mirrored = self._mirrored_label(span, rng)
        frames = self._read(self.train, span.video, self._draw_frames(span, rng))
        frames = [resize_short_side(frame, self.numbers.train_short_side) for frame in frames]
        box = self._crop_box((frames[0].shape[0], frames[0].shape[1]), rng)
        size = (self.numbers.crop_size, self.numbers.crop_size)
        pixels = np.stack([resize(np.ascontiguousarray(crop(frame, box)), size) for frame in frames])  # (S*T, H, W, C)
        if is_mirrored:
            pixels = self._mirror(pixels)
        name = f"{self.train.index.names[span.video]} frames {span.first}-{span.end - 1}"
        return name, np.ascontiguousarray(self._to_input(pixels)), label

    def _mirrored_label(self, span: Span, rng: np.random.Generator) -> tuple[int, bool]:
        """Return the label of a sample and whether it is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.numbers.mirror != "off"
        if self.numbers.mirror != "sides":
            return self.index[span.label], is_mirrored
        mirrored = self.index.get(mirror_label(span.label))
        is_mirrored = is_mirrored and mirrored is not None
        return (mirrored if is_mirrored and mirrored is not None else self.index[span.label]), is_mirrored

    def _draw_frames(self, span: Span, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the indices (num_places * num_frames,) of the frames of a sample."""
        hyperparameters, length = self.numbers, span.end - span.first
        offsets = train_clip_offsets(
            length, hyperparameters.num_frames, hyperparameters.frame_stride, self.num_places, rng=rng
        )
        within = clip_indices(offsets, length, hyperparameters.num_frames, hyperparameters.frame_stride)  # (S, T)
        return np.clip(span.first + within.ravel(), 0, self._num_frames(self.train, span.video) - 1)

    def _num_frames(self, split: Split, video: int) -> int:
        return len(split.index.times_of(video))

    def _crop_box(self, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
        if self.numbers.crop == "random-resized":
            return random_resized_crop_box(size, rng)
        boxes = multiscale_crop_boxes(size, self.numbers.crop_size)  # (N, 4)
        return np.asarray(boxes[rng.integers(len(boxes))])

    def _read(self, split: Split, video: int, indices: NDArray[np.int64]) -> list[Image]:
        images = read_images(split.index, video, indices.tolist())
        return [images[index] for index in indices.tolist()]

    def _mirror(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(mirror(pixels))

    def _to_input(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert frames (S*T, H, W, C) to the network's input."""
        return np.asarray(frames_to_clips(pixels, self.numbers.num_frames)[0])  # (C, T, H, W)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Stack samples of one size to a batch."""
        names, inputs, labels = zip(*samples, strict=True)
        return {"clips": torch.from_numpy(np.stack(inputs)), "labels": torch.tensor(labels), NAMES: list(names)}

    def _normalise(self, inputs: Tensor) -> Tensor:
        return self.stage.norm(inputs)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy."""
        logits = net(self._normalise(batch["clips"]))  # (N, num_classes)
        return {"label": functional.cross_entropy(logits.float(), batch["labels"])}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the share of held-out spans whose label, and whose states without the action, are correct."""
        return self._measure(net, device, self.held_out_spans)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Measure the same on a few held-out spans."""
        count = len(self.held_out_spans)
        chosen = np.linspace(0, count - 1, min(count, CHECK_SPANS)).round().astype(int)
        return self._measure(net, device, [self.held_out_spans[n] for n in chosen])

    def _measure(self, net: nn.Module, device: torch.device, spans: Sequence[Span]) -> dict[str, Any]:
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, self.stage)
        pairs = [(span.label, self.label_list[int(self._scores(classifier, span).argmax())]) for span in spans]
        total = max(len(pairs), 1)
        metrics: dict[str, Any] = {"accuracy": sum(true == predicted for true, predicted in pairs) / total}
        if self.metric == "state_accuracy":
            metrics["state_accuracy"] = sum(true[1:] == predicted[1:] for true, predicted in pairs) / total
        return {**metrics, "stretches": len(pairs), "labels": len(self.label_list)}

    def _test_frames(self, split: Split, span: Span) -> NDArray[np.int64]:
        """Return the frame indices (num_clips, num_frames) of the clips that the stage would sample."""
        num_frames = self._num_frames(split, span.video)
        if span.first < 0 or span.end > num_frames:  # around one frame: a single clip
            steps = np.arange(self.numbers.num_frames) * self.numbers.frame_stride
            return np.clip(span.first + steps, 0, num_frames - 1)[None]
        times = split.index.times_of(span.video)[span.first : span.end]
        return span.first + clip_frame_indices(times, self.stage)

    def _scores(self, classifier: ClipClassifier, span: Span) -> NDArray[np.float32]:
        frame_indices = self._test_frames(self.held_out, span)  # (num_clips, T)
        frames = [
            clip_image(frame, self.stage) for frame in self._read(self.held_out, span.video, frame_indices.ravel())
        ]
        clips = np.stack(frames).reshape(*frame_indices.shape, *frames[0].shape)  # (num_clips, T, H, W, 3)
        return classifier.scores(classifier.inputs(clips))

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of stages.actions."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """Return one list for each output of the network: the action, then the states."""
        return {"labels": [list(label) for label in self.label_list]}


class CsnTask(SpansTask):
    """Training of ip-CSN-152."""

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, hyperparameters: CsnNumbers) -> None:
        super().__init__(kind, train, held_out, hyperparameters)
        self.net = Csn(hyperparameters.net(len(self.label_list)))


class TsnRgbTask(SpansTask):
    """Training of TSN-R50 on frames from several segments of a span."""

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, hyperparameters: TsnRgbNumbers) -> None:
        super().__init__(kind, train, held_out, hyperparameters)
        self.num_places = hyperparameters.num_segments
        self.net = Tsn(hyperparameters.net(len(self.label_list)))

    def _to_input(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels.transpose(0, 3, 1, 2)  # (S, 3, H, W)

    def _normalise(self, inputs: Tensor) -> Tensor:
        return self.stage.norm(inputs.flatten(0, 1)).reshape(inputs.shape)  # (N, S, 3, H, W)


class TsnFlowTask(TsnRgbTask):
    """Training of TSN-R50 on stacks of flow fields, which are read from files."""

    def __init__(
        self, kind: str, train: Labelled, held_out: Labelled, hyperparameters: TsnFlowNumbers, flow: Path
    ) -> None:
        """Build the task; `flow` is the folder with a folder of fields for each video."""
        super().__init__(kind, train, held_out, hyperparameters)
        self.flow = flow

    def _num_frames(self, split: Split, video: int) -> int:
        return max(1, super()._num_frames(split, video) - 1)  # a field belongs to two consecutive frames

    def _draw_frames(self, span: Span, rng: np.random.Generator) -> NDArray[np.int64]:
        last = max(span.first + 1, min(span.end, self._num_frames(self.train, span.video)))
        return super()._draw_frames(replace(span, end=last), rng)

    def _read(self, split: Split, video: int, indices: NDArray[np.int64]) -> list[Image]:
        fields = read_flow(self.flow, split.index.names[video], indices.tolist())
        return [fields[index] for index in indices.tolist()]

    def _mirror(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return mirror_flow_bytes(pixels)

    def _to_input(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(flow_to_stacks(pixels, self.numbers.num_frames))  # (S, 10, H, W)

    def _normalise(self, inputs: Tensor) -> Tensor:
        norm = self.stage.norm  # the same for x and y
        return (inputs.float() - norm.mean[0]) / norm.std[0]

    def stage_settings(self) -> Mapping[str, Any]:
        """Return the settings of stages.actions, which reads frames: a stack needs one frame more than its fields."""
        flow = FlowInput(num_fields=self.numbers.num_frames)
        return config_to_dict(replace(self.stage, num_frames=flow.run, norm=InputNorm(), flow=flow))

    def _scores(self, classifier: ClipClassifier, span: Span) -> NDArray[np.float32]:
        field_indices = np.minimum(
            self._test_frames(self.held_out, span), self._num_frames(self.held_out, span.video) - 1
        )
        frames = [
            clip_image(frame, self.stage) for frame in self._read(self.held_out, span.video, field_indices.ravel())
        ]
        stacks = torch.from_numpy(np.ascontiguousarray(flow_to_stacks(np.stack(frames), self.numbers.num_frames)))
        inputs = self._normalise(stacks.to(classifier.device))  # (num_clips, 10, H, W)
        return classifier.scores(inputs[:, None])
