"""TV-L1 optical flow and its 8-bit coding, the input of the flow networks.

Flow is (H, W, 2), x then y, from the first frame to the second, in pixels of the frame for which it was computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, ShapeError, expect_shape

Flow = NDArray[np.float32]
FlowBytes = NDArray[np.uint8]
Coding = Literal["rounded", "truncated"]
BOUND = 20.0  # pixels; larger motion is clipped


@dataclass(frozen=True, kw_only=True)
class TvL1Config:
    """Settings of TV-L1. The defaults are OpenCV's, used for the public flow data. `FAST_TVL1` is for small frames."""

    tau: float = 0.25  # time step of the solver
    lambda_: float = 0.15  # weight of the data term; smaller values give smoother flow
    theta: float = 0.3  # tightness between the two halves of the problem
    num_scales: int = 5  # levels of the pyramid
    num_warps: int = 5  # warps at each level
    epsilon: float = 0.01  # stopping threshold of the inner loop
    num_inner: int = 30  # iterations of the inner loop
    num_outer: int = 10  # iterations of the outer loop
    scale_step: float = 0.8  # ratio of the sizes of two levels
    short_side: int | None = None  # pixels; larger grey frames are first reduced to it; None: never

    def __post_init__(self) -> None:
        for name in ("tau", "lambda_", "theta", "num_scales", "num_warps", "epsilon", "num_inner", "num_outer"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"flow.{name} must be greater than 0, got {getattr(self, name)}")
        if not 0 < self.scale_step < 1:
            raise ConfigError(f"flow.scale_step must be between 0 and 1, got {self.scale_step}")
        if self.short_side is not None and self.short_side < 1:
            raise ConfigError(f"flow.short_side must be at least 1, got {self.short_side}")


DEFAULT_TVL1 = TvL1Config()
FAST_TVL1 = TvL1Config(num_scales=4, num_warps=3, epsilon=0.02, num_inner=10, num_outer=4, short_side=48)


class TvL1:
    """Optical flow between grey frames of one size. It reuses the solver's buffers: use one object per thread."""

    def __init__(self, config: TvL1Config = DEFAULT_TVL1) -> None:
        self.config = config
        self._solver = cv2.optflow.DualTVL1OpticalFlow.create(
            tau=config.tau,
            lambda_=config.lambda_,
            theta=config.theta,
            nscales=config.num_scales,
            warps=config.num_warps,
            epsilon=config.epsilon,
            innnerIterations=config.num_inner,  # OpenCV spells it this way
            outerIterations=config.num_outer,
            scaleStep=config.scale_step,
        )

    def between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Flow:
        """Compute the flow (H, W, 2) from grey frame `first` to `second`, each (H, W).

        Raises:
            ShapeError: the frames are not grey or differ in size.
        """
        expect_shape("first", first, (None, None))
        expect_shape("second", second, (first.shape[0], first.shape[1]))
        flow = np.zeros((*first.shape, 2), np.float32)  # (H, W, 2), filled by the solver
        result = self._solver.calc(np.ascontiguousarray(first), np.ascontiguousarray(second), flow)
        return np.asarray(result, dtype=np.float32)

    def along(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Flow]:
        """Yield the flow from each RGB frame (H, W, 3) to the next: N frames give N - 1 fields of resized frames."""
        last: NDArray[np.uint8] | None = None
        for frame in frames:
            grey = to_small_grey(frame, self.config.short_side)
            if last is not None:
                yield self.between(last, grey)
            last = grey


def to_small_grey(image: NDArray[np.uint8], short_side: int | None) -> NDArray[np.uint8]:
    """Convert an RGB image (H, W, 3) to grey, then reduce it to (H', W'); never enlarge it. Source: denseflow."""
    expect_shape("image", image, (None, None, 3))
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    height, width = small_size((grey.shape[0], grey.shape[1]), short_side)
    if (height, width) == grey.shape:
        return grey
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def small_size(size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Return the (height, width) to which frames of `size` are reduced before their flow is computed; never larger."""
    height, width = size
    if short_side is None or min(size) <= short_side:
        return size
    if width < height:
        return round(height / width * short_side), short_side
    return short_side, round(width / height * short_side)


def flow_to_bytes(flow: NDArray[Any], *, coding: Coding = "rounded", bound: float = BOUND) -> FlowBytes:
    """Encode flow of any shape in 8 bits: -bound becomes 0, +bound becomes 255.

    With "rounded" no motion is 128, with "truncated" it is 127; the two differ by at most 1.

    Raises:
        ConfigError: `coding` is unknown or `bound` is not greater than 0.

    Source: denseflow ("rounded") and the extraction script of mmaction2 ("truncated").
    """
    if not bound > 0:
        raise ConfigError(f"flow.bound must be greater than 0, got {bound}")
    clipped = np.clip(flow.astype(np.float64), -bound, bound)
    if coding == "rounded":
        return np.rint(255 * (clipped + bound) / (2 * bound)).astype(np.uint8)
    if coding == "truncated":
        return ((clipped + bound) * 255 / (2 * bound)).astype(np.uint8)
    raise ConfigError(f"flow.coding must be 'rounded' or 'truncated', got {coding!r}")


def mirror_flow_bytes(coded: FlowBytes) -> FlowBytes:
    """Return the 8-bit flow (..., H, W, 2) of the mirrored frames: mirrored, and x becomes 255 - x.

    The value of no motion changes by one level.
    """
    if coded.ndim < 3 or coded.shape[-1] != 2:
        raise ShapeError(f"flow must have shape (..., H, W, 2), got {coded.shape}")
    mirrored = coded[..., ::-1, :].copy()
    mirrored[..., 0] = 255 - mirrored[..., 0]
    return mirrored
