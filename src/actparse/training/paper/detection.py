"""Images with boxes for the full-size detectors: mirrored, shifted, padded to one size; and YOLOF's loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from actparse.core.vocabulary import KEYPOINT_FLIP
from actparse.nets.yolof import YolofConfig
from actparse.nets.yolof_losses import yolof_loss
from actparse.stages.inputs import InputNorm
from actparse.training import ranks
from actparse.training.paper.detector import DetectorNumbers
from actparse.training.task import NAMES, Batch

DIVISOR = 32  # of a batch's height and width. Source: YOLOF in mmdet
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
    sample: BoxedImage, numbers: DetectorNumbers, label_flip: Sequence[int], rng: np.random.Generator
) -> BoxedImage:
    """The sample, perhaps mirrored, then perhaps shifted."""
    if rng.random() < numbers.mirror_share:
        sample = in_mirror(sample, label_flip)
    if rng.random() < numbers.shift_share:
        x, y = (int(value) for value in rng.integers(-numbers.max_shift, numbers.max_shift, 2, endpoint=True))
        sample = shifted(sample, x, y)
    return sample


def in_mirror(sample: BoxedImage, label_flip: Sequence[int]) -> BoxedImage:
    """Left and right exchanged: pixels, boxes, the names of parts and keypoints.

    Args:
        sample: any.
        label_flip: (K,) the label that each label has in a mirror.
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
    """Everything moved by whole pixels, black where nothing was; as it is if no box would stay.

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
    """Boxes (N, 4) cut at the edges of an image of `size` (height, width), and which of them (N,) are still boxes."""
    height, width = size
    cut = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    return cut, np.asarray(((cut[:, 2:] - cut[:, :2]) > MIN_SIDE).all(axis=1))


def collated(samples: Sequence[BoxedImage]) -> Batch:
    """A batch of images of any sizes: lists, and the keypoints of all (N, 17, 3) where they have some."""
    return {
        "images": [torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples],
        "boxes": [torch.from_numpy(sample.boxes) for sample in samples],
        "labels": [torch.from_numpy(sample.labels) for sample in samples],
        "keypoints": torch.from_numpy(np.stack([sample.keypoints for sample in samples])),
        NAMES: [sample.name for sample in samples],
    }


def padded(images: Sequence[Tensor], norm: InputNorm) -> Tensor:
    """Images (3, h, w), normalised, then padded with zeros on the right and below to one size (N, 3, H, W)."""
    height, width = (-(-max(image.shape[axis] for image in images) // DIVISOR) * DIVISOR for axis in (1, 2))
    rows = [
        functional.pad(norm(image[None])[0], (0, width - image.shape[2], 0, height - image.shape[1]))
        for image in images
    ]
    return torch.stack(rows).contiguous(memory_format=torch.channels_last)


def detection_terms(net: nn.Module, images: Tensor, batch: Batch, config: YolofConfig) -> dict[str, Tensor]:
    """The terms of YOLOF's loss; all devices together divide by the number of anchors matched on all of them.

    Where a batch comes in pieces, each piece has its own number, as each GPU's batch norms have their own statistics.
    """
    cls, reg = net(images)
    with torch.autocast(images.device.type, enabled=False):
        losses = yolof_loss(cls.float(), reg.float(), config, batch["boxes"], batch["labels"])
    own = losses.num_matched.float()
    factor = own / ranks.mean_over_processes(own)
    return {"classification": losses.classification * factor, "boxes": losses.boxes * factor}
