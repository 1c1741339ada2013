"""The effects of cameras and codecs on a picture, for the look "varied": exposure, colour, blur, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import Floats
from actparse.synth.drawing.texture import clouds

Image = NDArray[np.uint8]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Effects:
    """The effects of one video; `apply` depends only on the frame and on its seed."""

    level: float  # target grey level of the camera's automatic exposure
    curves: NDArray[np.uint8]  # (256, 3): gamma, contrast and colour cast of each channel
    saturation: float  # 0 is grey
    light: Singles | None  # (H, W) factors of uneven light: vignettes, spots, haze; None: even light
    kernel: Singles | None  # blur by motion or bad focus; None: sharp
    shrink: float  # factor by which the picture is reduced and enlarged again
    noise: float  # sigma, grey levels
    quality: int  # JPEG quality, 0 to 100; 0: no compression

    def apply(self, image: Image, rng: np.random.Generator) -> Image:
        """Return the frame (H, W, 3) with all effects; `rng` draws its noise."""
        height, width = image.shape[:2]
        gain = float(np.clip((self.level / max(float(image.mean()), 1.0)) ** 0.75, 0.5, 3.0))
        if self.light is not None:
            light = cv2.cvtColor(np.broadcast_to(self.light, (height, width)).copy(), cv2.COLOR_GRAY2RGB)
            image = np.asarray(cv2.multiply(image, light, scale=gain, dtype=cv2.CV_8U), np.uint8)
        else:
            image = np.asarray(cv2.convertScaleAbs(image, alpha=gain), np.uint8)
        if self.kernel is not None:
            image = np.asarray(cv2.filter2D(image, -1, self.kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
        image = np.asarray(cv2.LUT(image, self.curves[None]), np.uint8)
        if self.saturation != 1:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = np.asarray(cv2.addWeighted(image, self.saturation, grey, 1 - self.saturation, 0), np.uint8)
        if self.shrink > 1:
            small = (max(8, round(width / self.shrink)), max(8, round(height / self.shrink)))
            image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        if self.noise > 0.5:
            grain = rng.standard_normal(image.shape[:2], np.float32) * np.float32(self.noise)
            # one draw for three channels
            colored = cv2.merge([grain, np.roll(grain, 7, axis=0), np.roll(grain, 5, axis=1)])
            image = np.asarray(cv2.add(image, colored, dtype=cv2.CV_8U), np.uint8)
        if self.quality:
            image = compress(image, self.quality)
        if self.shrink > 1:
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return image


def compress(image: Image, quality: int) -> Image:
    """Return the image (H, W, 3) after JPEG compression of this quality, 1 to 100."""
    success, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    assert success, "an image in memory can always be encoded"
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def draw_effects(rng: np.random.Generator, size: tuple[int, int]) -> Effects:
    """Draw the effects of a video whose frames have this (height, width)."""
    return Effects(
        level=float(np.clip(112 * np.exp(rng.normal(0, 0.3)), 35, 190)),
        curves=_curves(rng),
        saturation=float(
            rng.choice([1.0, rng.uniform(0.4, 1.0), rng.uniform(1.0, 1.4), rng.uniform(0.0, 0.2)], p=_SATURATION_SHARES)
        ),
        light=_uneven_light(rng, size) if rng.random() < 0.5 else None,
        kernel=_kernel(rng, min(size) / 240),
        shrink=float(rng.uniform(1.2, 2.2)) if rng.random() < 0.25 else 1.0,
        noise=float(rng.choice([0.0, rng.uniform(1, 5), rng.uniform(5, 16)], p=(0.4, 0.4, 0.2))),
        quality=int(rng.integers(25, 95)) if rng.random() < 0.7 else 0,
    )


_SATURATION_SHARES = (0.35, 0.3, 0.28, 0.07)


def _curves(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the tone curves (256, 3): gamma and contrast, then a colour cast."""
    level = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.22))
    contrast = np.exp(rng.normal(0, 0.18))
    cast = np.exp(rng.normal(0, rng.choice([0.03, 0.03, 0.1]), 3))
    curved = (0.45 + contrast * (level**gamma - 0.45)) * cast + rng.normal(0, 0.03)
    return np.asarray(np.clip(curved * 255, 0, 255), np.uint8)


def _uneven_light(rng: np.random.Generator, size: tuple[int, int]) -> Singles:
    """Draw light that falls unevenly (H, W): a gradient, soft patches, dark corners."""
    height, width = size
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    field = 1 + np.float32(rng.uniform(0, 0.35)) * (np.cos(angle) * x + np.sin(angle) * y)
    field = field + clouds(rng, size, octaves=3, start=2) * rng.uniform(0, 0.3)
    field = field - np.float32(rng.choice([0, rng.uniform(0, 0.3)])) * (x**2 + y**2) / 2
    return np.asarray(np.clip(field, 0.25, 1.8), np.float32)


def _kernel(rng: np.random.Generator, scale: float) -> Singles | None:
    """Draw a blur kernel, in pixels times `scale`: none, bad focus, or a moving camera."""
    kind = rng.random()
    if kind < 0.45:
        return None
    if kind < 0.75:
        sigma = rng.uniform(0.4, 1.6) * scale
        side = 2 * max(1, round(2.5 * sigma)) + 1
        line = np.asarray(cv2.getGaussianKernel(side, sigma), np.float32)
        return np.asarray(line @ line.T, np.float32)
    length: float = rng.uniform(2, 7) * scale
    side = 2 * max(1, round(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    angle, middle = rng.uniform(0, np.pi), side // 2
    step: Floats = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (np.round(middle + sign * step).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    kernel[middle, middle] = max(kernel[middle, middle], 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
