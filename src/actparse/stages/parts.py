"""Stage 1d, body parts: a person's crop with the dots of the pose on it in, the best box of each part out.

Source: PCF, section II-B, equation 4, and III-A (the best box of each class, so nothing is suppressed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from actparse.errors import ConfigError
from actparse.nets.yolof import Yolof
from actparse.nets.yolof_boxes import best_of_each_class
from actparse.stages.dots import DotsConfig, draw_dots
from actparse.stages.inputs import InputNorm, stack_images
from actparse.stages.precision import inference
from actparse.vocabulary import PARTS


@dataclass(frozen=True, kw_only=True)
class PartsConfig:
    """The crop and what is drawn on it; `dots` None leaves the crop as it is (the paper's Table II, first row)."""

    size: int = 192  # pixels, side of the square crop
    padding: float = 1.12  # side of the crop's square over the longer side of the person box
    dots: DotsConfig | None = field(default_factory=DotsConfig)
    norm: InputNorm = field(default_factory=InputNorm)

    def __post_init__(self) -> None:
        if self.size < 32:
            raise ConfigError(f"parts.size must be at least 32, got {self.size}")
        if self.padding < 1:
            raise ConfigError(f"parts.padding must be at least 1, got {self.padding}")


@dataclass(frozen=True)
class SquareCrops:
    """Square windows of a frame: crop pixel = (frame pixel - `origins`) * `scales`."""

    origins: NDArray[np.float32]  # (N, 2) x, y of the window's corner, frame pixels
    scales: NDArray[np.float32]  # (N,) crop pixels per frame pixel

    def points_to_crop(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K, 2) frame pixels -> (N, K, 2) crop pixels."""
        return (points - self.origins[:, None]) * self.scales[:, None, None]

    def points_to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K, 2) crop pixels -> (N, K, 2) frame pixels."""
        return points / self.scales[:, None, None] + self.origins[:, None]

    def cut(self, image: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
        """The windows as N images (size, size, 3); outside the frame they are black."""
        windows = zip(self.origins, self.scales, strict=True)
        return [_warp(image, origin, float(scale), size) for origin, scale in windows]


def square_crops(boxes: NDArray[np.float32], config: PartsConfig) -> SquareCrops:
    """The crop windows of person boxes (N, 4) xyxy: same centre, `padding` times the longer side."""
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1), 1) * config.padding  # (N,)
    origins = (boxes[:, :2] + boxes[:, 2:]) / 2 - sides[:, None] / 2  # (N, 2)
    return SquareCrops(origins.astype(np.float32), (config.size / sides).astype(np.float32))


def _warp(image: NDArray[np.uint8], origin: NDArray[np.float32], scale: float, size: int) -> NDArray[np.uint8]:
    half_pixel = 0.5 * scale - 0.5  # pixel i's centre lies at i + 0.5 in continuous coordinates
    shift = -origin * scale + half_pixel
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    if scale < 0.5:  # bilinear sampling would alias: shrink the window by area first
        x1, y1 = np.floor(origin).astype(int).clip(0)
        x2, y2 = np.ceil(origin + size / scale).astype(int).clip(0) + 1
        window = image[y1:y2, x1:x2]
        if window.size:
            factor = 2 * scale
            small = cv2.resize(window, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            exact = np.array([window.shape[1] / small.shape[1], window.shape[0] / small.shape[0]])
            corner = np.array([x1, y1])
            shift = ((0.5 * exact + corner) - origin) * scale - 0.5
            matrix = np.array([[scale * exact[0], 0, shift[0]], [0, scale * exact[1], shift[1]]], np.float32)
            image = np.asarray(small, np.uint8)
    crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    return np.asarray(crop, np.uint8)


class PartDetector:
    """Finds the ten parts of persons."""

    def __init__(self, net: Yolof, config: PartsConfig, *, max_batch: int = 32) -> None:
        self.net = net
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    def detect(
        self,
        images: Sequence[NDArray[np.uint8]],
        boxes: Sequence[NDArray[np.float32]],
        keypoints: Sequence[NDArray[np.float32]],
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """The best box of every part.

        Args:
            images: frames (H, W, 3) uint8 RGB.
            boxes: per frame (n, 4) person boxes xyxy, frame pixels; n may be 0.
            keypoints: per frame (n, 17, 3) x, y in frame pixels, confidence.

        Returns:
            Per frame boxes (n, 10, 4) in frame pixels, clipped to the frame, and scores (n, 10), in the order of PARTS.
        """
        windows = [square_crops(frame_boxes, self.config) for frame_boxes in boxes]
        crops = [crop for w, image in zip(windows, images, strict=True) for crop in w.cut(image, self.config.size)]
        drawn = [self._points(w, points) for w, points in zip(windows, keypoints, strict=True)]
        found, scores = self._run(crops, np.concatenate(drawn) if drawn else np.zeros((0, 17, 3), np.float32))
        ends = np.cumsum([len(frame_boxes) for frame_boxes in boxes])[:-1]
        split = zip(np.split(found, ends), np.split(scores, ends), windows, images, strict=True) if boxes else ()
        return [(_to_frame(b, w, image.shape[:2]), s) for b, s, w, image in split]

    def _points(self, windows: SquareCrops, points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate((windows.points_to_crop(points[..., :2]), points[..., 2:]), axis=2).astype(np.float32)

    def _run(
        self, crops: list[NDArray[np.uint8]], keypoints: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        boxes, scores = [np.zeros((0, len(PARTS), 4), np.float32)], [np.zeros((0, len(PARTS)), np.float32)]
        for start in range(0, len(crops), self.max_batch):
            batch = stack_images(crops[start : start + self.max_batch], self.device)  # (N, 3, S, S)
            if self.config.dots is not None:
                points = torch.from_numpy(keypoints[start : start + self.max_batch]).to(self.device)
                batch = draw_dots(batch, points, self.config.dots)
            with inference(self.device):
                cls, reg = self.net(self.config.norm(batch).contiguous(memory_format=torch.channels_last))
            sizes = [(self.config.size, self.config.size)] * len(batch)
            b, s = best_of_each_class(cls.float(), reg.float(), self.net.config, sizes)
            boxes.append(b.cpu().numpy())
            scores.append(s.cpu().numpy())
        return np.concatenate(boxes), np.concatenate(scores)


def _to_frame(boxes: NDArray[np.float32], windows: SquareCrops, size: tuple[int, int]) -> NDArray[np.float32]:
    corners = windows.points_to_frame(boxes.reshape(len(boxes), 2 * len(PARTS), 2))  # (n, 20, 2)
    clipped = np.clip(corners, 0, np.array(size[::-1], np.float32))
    return clipped.reshape(boxes.shape).astype(np.float32)
