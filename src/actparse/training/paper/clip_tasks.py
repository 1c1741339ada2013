"""The full-size video networks as tasks: clips are decoded, cropped and mirrored as they are needed."""

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
from actparse.nets.csn import Csn
from actparse.nets.tsn import Tsn
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

CHECK_SPANS = 200  # of the held-out ones, for a check on the way
Sample = tuple[str, NDArray[np.uint8], int]  # name, input of the network, label
Labelled = tuple[Split, Sequence[Span]]


class SpansTask(SampledTask):
    """Clips of labelled stretches of videos; a label is one of those that training sees."""

    stored_as = torch.float32  # as the public checkpoints
    num_places = 1  # of a stretch, that training sees at once

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, numbers: ClipNumbers) -> None:
        """`train` and `held_out`: videos and their labelled stretches.

        Raises:
            DataError: there is no labelled stretch to train on.
        """
        self.kind, self.numbers = kind, numbers
        self.train, self.spans = train
        self.held_out, self.held_out_spans = held_out
        if not self.spans:
            raise DataError(f"{self.train.index.root}: no labelled stretch of video for {kind}")
        self.settings, self.stage = numbers.settings(), numbers.stage()
        self.label_list = tuple(sorted({span.label for span in self.spans}))
        self.index = {label: number for number, label in enumerate(self.label_list)}
        self.metric = "accuracy" if len(self.label_list[0]) == 1 else "state_accuracy"

    @property
    def num_samples(self) -> int:
        """Labelled stretches."""
        return len(self.spans)

    def sample(self, row: int, rng: np.random.Generator) -> Sample:
        """A clip, or some, from anywhere in a stretch."""
        span = self.spans[row]
        label, is_mirrored = self._mirrored_label(span, rng)
        frames = self._read(self.train, span.video, self._drawn_frames(span, rng))
        frames = [resize_short_side(frame, self.numbers.train_short_side) for frame in frames]
        box = self._crop_box((frames[0].shape[0], frames[0].shape[1]), rng)
        size = (self.numbers.crop_size, self.numbers.crop_size)
        pixels = np.stack([resize(np.ascontiguousarray(crop(frame, box)), size) for frame in frames])  # (S*T, H, W, C)
        if is_mirrored:
            pixels = self._in_mirror(pixels)
        name = f"{self.train.index.names[span.video]} frames {span.first}-{span.end - 1}"
        return name, np.ascontiguousarray(self._arranged(pixels)), label

    def _mirrored_label(self, span: Span, rng: np.random.Generator) -> tuple[int, bool]:
        """The label of a sample and whether it is mirrored."""
        is_mirrored = bool(rng.random() < 0.5) and self.numbers.mirror != "off"
        if self.numbers.mirror != "sides":
            return self.index[span.label], is_mirrored
        number = self.index.get(mirror_label(span.label))
        is_mirrored = is_mirrored and number is not None
        return (number if is_mirrored and number is not None else self.index[span.label]), is_mirrored

    def _drawn_frames(self, span: Span, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers (num_places * num_frames,) of the frames of a sample."""
        numbers, length = self.numbers, span.end - span.first
        offsets = train_clip_offsets(length, numbers.num_frames, numbers.frame_stride, self.num_places, rng=rng)
        within = clip_indices(offsets, length, numbers.num_frames, numbers.frame_stride)  # (S, T)
        return np.clip(span.first + within.ravel(), 0, self._num_frames(self.train, span.video) - 1)

    def _num_frames(self, split: Split, video: int) -> int:
        return len(split.index.times_of(video))

    def _crop_box(self, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
        if self.numbers.crop == "random-resized":
            return random_resized_crop_box(size, rng)
        boxes = multiscale_crop_boxes(size, self.numbers.crop_size)  # (N, 4)
        return np.asarray(boxes[rng.integers(len(boxes))])

    def _read(self, split: Split, video: int, numbers: NDArray[np.int64]) -> list[Image]:
        images = read_images(split.index, video, numbers.tolist())
        return [images[number] for number in numbers.tolist()]

    def _in_mirror(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(mirror(pixels))

    def _arranged(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frames (S*T, H, W, C) as the network takes them."""
        return np.asarray(frames_to_clips(pixels, self.numbers.num_frames)[0])  # (C, T, H, W)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Inputs of one size."""
        names, inputs, labels = zip(*samples, strict=True)
        return {"clips": torch.from_numpy(np.stack(inputs)), "labels": torch.tensor(labels), NAMES: list(names)}

    def _normalised(self, inputs: Tensor) -> Tensor:
        return self.stage.norm(inputs)

    def losses(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy."""
        logits = net(self._normalised(batch["clips"]))  # (N, num_classes)
        return {"label": functional.cross_entropy(logits.float(), batch["labels"])}

    def evaluate(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """Share of held-out stretches whose label, and whose states alone, come out right."""
        return self._figures(net, device, self.held_out_spans)

    def check(self, net: nn.Module, device: torch.device) -> dict[str, Any]:
        """The same on a few of them."""
        count = len(self.held_out_spans)
        chosen = np.linspace(0, count - 1, min(count, CHECK_SPANS)).round().astype(int)
        return self._figures(net, device, [self.held_out_spans[n] for n in chosen])

    def _figures(self, net: nn.Module, device: torch.device, spans: Sequence[Span]) -> dict[str, Any]:
        classifier = ClipClassifier(net.to(device).eval(), self.label_list, self.stage)
        pairs = [(span.label, self.label_list[int(self._scores(classifier, span).argmax())]) for span in spans]
        total = max(len(pairs), 1)
        figures: dict[str, Any] = {"accuracy": sum(true == found for true, found in pairs) / total}
        if self.metric == "state_accuracy":
            figures["state_accuracy"] = sum(true[1:] == found[1:] for true, found in pairs) / total
        return {**figures, "stretches": len(pairs), "labels": len(self.label_list)}

    def _test_frames(self, split: Split, span: Span) -> NDArray[np.int64]:
        """Numbers (num_clips, num_frames) of the frames of the clips that the stage would take."""
        num_frames = self._num_frames(split, span.video)
        if span.first < 0 or span.end > num_frames:  # around one frame: a single clip
            steps = np.arange(self.numbers.num_frames) * self.numbers.frame_stride
            return np.clip(span.first + steps, 0, num_frames - 1)[None]
        times = split.index.times_of(span.video)[span.first : span.end]
        return span.first + clip_frame_indices(times, self.stage)

    def _scores(self, classifier: ClipClassifier, span: Span) -> NDArray[np.float32]:
        rows = self._test_frames(self.held_out, span)  # (num_clips, T)
        frames = [clip_image(frame, self.stage) for frame in self._read(self.held_out, span.video, rows.ravel())]
        clips = np.stack(frames).reshape(*rows.shape, *frames[0].shape)  # (num_clips, T, H, W, 3)
        return classifier.scores(classifier.inputs(clips))

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.actions."""
        return config_to_dict(self.stage)

    def labels(self) -> Mapping[str, Any]:
        """One list for each output of the network: the action, then the states."""
        return {"labels": [list(label) for label in self.label_list]}


class CsnTask(SpansTask):
    """ip-CSN-152."""

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, numbers: CsnNumbers) -> None:
        super().__init__(kind, train, held_out, numbers)
        self.net = Csn(numbers.net(len(self.label_list)))


class TsnRgbTask(SpansTask):
    """TSN-R50 on frames of several places."""

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, numbers: TsnRgbNumbers) -> None:
        super().__init__(kind, train, held_out, numbers)
        self.num_places = numbers.num_segments
        self.net = Tsn(numbers.net(len(self.label_list)))

    def _arranged(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels.transpose(0, 3, 1, 2)  # (S, 3, H, W)

    def _normalised(self, inputs: Tensor) -> Tensor:
        return self.stage.norm(inputs.flatten(0, 1)).reshape(inputs.shape)  # (N, S, 3, H, W)


class TsnFlowTask(TsnRgbTask):
    """TSN-R50 on stacks of flow fields, which lie in files."""

    def __init__(self, kind: str, train: Labelled, held_out: Labelled, numbers: TsnFlowNumbers, flow: Path) -> None:
        """`flow`: the folder with a folder of fields for each video."""
        super().__init__(kind, train, held_out, numbers)
        self.flow = flow

    def _num_frames(self, split: Split, video: int) -> int:
        return max(1, super()._num_frames(split, video) - 1)  # fields lie between frames

    def _drawn_frames(self, span: Span, rng: np.random.Generator) -> NDArray[np.int64]:
        last = max(span.first + 1, min(span.end, self._num_frames(self.train, span.video)))
        return super()._drawn_frames(replace(span, end=last), rng)

    def _read(self, split: Split, video: int, numbers: NDArray[np.int64]) -> list[Image]:
        fields = read_flow(self.flow, split.index.names[video], numbers.tolist())
        return [fields[number] for number in numbers.tolist()]

    def _in_mirror(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return mirror_flow_bytes(pixels)

    def _arranged(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(flow_to_stacks(pixels, self.numbers.num_frames))  # (S, 10, H, W)

    def _normalised(self, inputs: Tensor) -> Tensor:
        norm = self.stage.norm  # the same for x and y
        return (inputs.float() - norm.mean[0]) / norm.std[0]

    def stage_settings(self) -> Mapping[str, Any]:
        """Of stages.actions, which has frames and no files: a stack needs one frame more than it has fields."""
        flow = FlowInput(num_fields=self.numbers.num_frames)
        return config_to_dict(replace(self.stage, num_frames=flow.run, norm=InputNorm(), flow=flow))

    def _scores(self, classifier: ClipClassifier, span: Span) -> NDArray[np.float32]:
        rows = np.minimum(self._test_frames(self.held_out, span), self._num_frames(self.held_out, span.video) - 1)
        frames = [clip_image(frame, self.stage) for frame in self._read(self.held_out, span.video, rows.ravel())]
        stacks = torch.from_numpy(np.ascontiguousarray(flow_to_stacks(np.stack(frames), self.numbers.num_frames)))
        inputs = self._normalised(stacks.to(classifier.device))  # (num_clips, 10, H, W)
        return classifier.scores(inputs[:, None])
