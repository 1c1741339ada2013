"""The sensor and the codec of a video: exposure that drifts and settles, colour, noise, sharpening, compression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.effects import Effects, compress, draw_effects

Image = NDArray[np.uint8]
Size = tuple[int, int]
SETTLE_SECONDS = 0.5  # in which the automatic exposure follows a change of the light


@dataclass(frozen=True)
class Sensor:
    """What happens to the colours of a picture between the lens and the file."""

    effects: Effects  # without compression
    drift: float  # share by which the exposure swings
    drift_hertz: float
    overshoot: float  # share by which the first moment of a shot is too bright, or below 0 too dark
    sharpening: float  # 0: none
    quality: int  # JPEG quality of the finished frame, 0 to 100; 0: no compression
    seed: int

    def expose(self, image: Image, time_seconds: float, seconds_in_shot: float) -> Image:
        """Return the picture (H, W, 3) as the sensor and its electronics deliver it."""
        swing = self.drift * np.sin(2 * np.pi * self.drift_hertz * time_seconds + self.seed % 7)
        gain = (1 + swing) * (1 + self.overshoot * np.exp(-seconds_in_shot / SETTLE_SECONDS))
        rng = np.random.default_rng([self.seed, round(time_seconds * 1000) & 0x7FFFFFFF])
        image = replace(self.effects, level=self.effects.level * gain).apply(image, rng)
        if self.sharpening:
            soft = cv2.blur(image, (3, 3))
            sharp = cv2.addWeighted(image, 1 + self.sharpening, soft, -self.sharpening, 0)
            image = np.asarray(sharp, np.uint8)
        return image

    def encode(self, frame: Image) -> Image:
        """Return the finished frame (H, W, 3) after a lossy compression."""
        return compress(frame, self.quality) if self.quality else frame


def draw_sensor(rng: np.random.Generator, size: Size, *, strength: float) -> Sensor:
    """Draw the sensor of a video with pictures of (height, width); `strength` 0..1 is how bad cameras are."""
    effects = draw_effects(rng, size)
    effects = replace(effects, level=0.85 * effects.level, saturation=1.15 * effects.saturation)
    poor = rng.random() < strength
    quality = int(rng.integers(20, 60)) if poor else int(rng.integers(60, 96)) if rng.random() < 0.5 else 0
    if not poor:
        effects = replace(effects, noise=min(effects.noise, 4.0), shrink=min(effects.shrink, 1.3))
        if rng.random() < 0.8:
            effects = replace(effects, kernel=None)
    return Sensor(
        effects=replace(effects, quality=0),
        drift=float(rng.choice([0.0, rng.uniform(0, 0.1)])),
        drift_hertz=float(rng.uniform(0.05, 0.5)),
        overshoot=float(rng.choice([0.0, rng.uniform(-0.3, 0.4)])),
        sharpening=float(rng.choice([0.0, rng.uniform(0.3, 1.5)])),
        quality=quality,
        seed=int(rng.integers(2**31)),
    )
