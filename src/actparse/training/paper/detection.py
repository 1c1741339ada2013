"""Augmentation and batching of images with boxes for the full-size detectors, and the terms of YOLOF's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from actparse.core.vocabulary import KEYPOINT_FLIP
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.detectors.yolof_losses import yolof_loss
from actparse.stages.inputs import InputNorm
from actparse.training.loop import ranks
from actparse.training.paper.detector import DetectorNumbers
from actparse.training.task import NAMES, Batch

DIVISOR = 32  # a batch's height and width are multiples of this. Source: YOLOF in mmdet
MIN_SIDE = 1.0  # pixels; a box that is thinner after a shift is dropped. Source: YOLOF in mmdet


@dataclass(frozen=True)
class BoxedImage:
    """An image (H, W, 3) uint8 RGB, its boxes (G, 4) xyxy with labels (G,), and keypoints: (17, 3) or (0, 3)."""

    name: str
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    keypoints: NDArray[np.float32]


def augmented(
    sample: BoxedImage, hyperparameters: DetectorNumbers, label_flip: Sequence[int], rng: np.random.Generator
) -> BoxedImage:
    """Mirror the sample, then shift it, each with the probability that the hyperparameters give."""
    if rng.random() < hyperparameters.mirror_share:
        sample = in_mirror(sample, label_flip)
    if rng.random() < hyperparameters.shift_share:
        x, y = (
            int(value)
            for value in rng.integers(-hyperparameters.max_shift, hyperparameters.max_shift, 2, endpoint=True)
        )
        sample = shifted(sample, x, y)
    return sample


def in_mirror(sample: BoxedImage, label_flip: Sequence[int]) -> BoxedImage:
    """Exchange left and right in the sample: pixels, boxes, labels of parts and keypoints.

    Args:
        sample: any.
        label_flip: (K,) the label of each label's mirror image.
    """
    width = sample.image.shape[1]
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = width - sample.boxes[:, [2, 0]]
    keypoints = sample.keypoints.copy()
    if len(keypoints):
        keypoints[:, 0] = width - keypoints[:, 0]
        keypoints = keypoints[list(KEYPOINT_FLIP)]
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        boxes=boxes,
        labels=np.asarray(label_flip, np.int64)[sample.labels],
        keypoints=keypoints,
    )


def shifted(sample: BoxedImage, x: int, y: int) -> BoxedImage:
    """Shift the sample by whole pixels, with black in uncovered areas; leave it unchanged if no box would remain.

    Source: Chen et al. 2021, section 5.1, and the public program.
    """
    height, width = sample.image.shape[:2]
    boxes, keep = inside(sample.boxes + np.array([x, y, x, y], np.float32), (height, width))
    if not keep.any():
        return sample
    image = np.zeros_like(sample.image)
    image[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = sample.image[
        max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
    ]
    keypoints = sample.keypoints.copy()
    keypoints[:, :2] += (x, y)
    return replace(sample, image=image, boxes=boxes[keep], labels=sample.labels[keep], keypoints=keypoints)


def inside(boxes: NDArray[np.float32], size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Clip boxes (N, 4) to an image of `size` (height, width); also return which (N,) of them remain large enough."""
    height, width = size
    cut = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    return cut, np.asarray(((cut[:, 2:] - cut[:, :2]) > MIN_SIDE).all(axis=1))


def collated(samples: Sequence[BoxedImage]) -> Batch:
    """Collect images of any sizes in a batch: lists, and the keypoints of all, (N, 17, 3) or (N, 0, 3)."""
    return {
        "images": [torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples],
        "boxes": [torch.from_numpy(sample.boxes) for sample in samples],
        "labels": [torch.from_numpy(sample.labels) for sample in samples],
        "keypoints": torch.from_numpy(np.stack([sample.keypoints for sample in samples])),
        NAMES: [sample.name for sample in samples],
    }


def padded(images: Sequence[Tensor], norm: InputNorm) -> Tensor:
    """Normalise images (3, h, w), then pad them with zeros at the right and the bottom to one size (N, 3, H, W)."""
    height, width = (-(-max(image.shape[axis] for image in images) // DIVISOR) * DIVISOR for axis in (1, 2))
    images_padded = [
        functional.pad(norm(image[None])[0], (0, width - image.shape[2], 0, height - image.shape[1]))
        for image in images
    ]
    return torch.stack(images_padded).contiguous(memory_format=torch.channels_last)


def detection_terms(net: nn.Module, images: Tensor, batch: Batch, config: YolofConfig) -> dict[str, Tensor]:
    """Compute the terms of YOLOF's loss, normalised by the number of anchors matched on all devices.

    If a batch is processed in pieces, each piece is normalised by its own number of matched anchors, just as the batch
    norms of each GPU have separate statistics.
    """
    cls, reg = net(images)
    with torch.autocast(images.device.type, enabled=False):
        losses = yolof_loss(cls.float(), reg.float(), config, batch["boxes"], batch["labels"])
    num_matched = losses.num_matched.float()
    factor = num_matched / ranks.mean_over_processes(num_matched)
    return {"classification": losses.classification * factor, "boxes": losses.boxes * factor}
