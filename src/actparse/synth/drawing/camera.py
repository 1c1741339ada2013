"""The camera of a scene: its position, its motion, and its projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.mesh import Floats, cross, normalised

UP = np.array([0.0, 1.0, 0.0])
NEAR = 0.25  # metres; nearer quads are not drawn
BODY_HEIGHT, BODY_WIDTH = 1.75, 0.7  # size in metres of an average person, arms at the sides, for cuts by the border
LYING_HEIGHT = 1.4  # metres; performers who need less height are near the floor


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: metres in the world (y up, floor at 0), pixels in the image (y down)."""

    eye: Floats  # (3,)
    target: Floats  # (3,)
    focal: float  # pixels
    roll: float  # radians
    center: Floats  # (2,) pixels

    def axes(self) -> Floats:
        """Return the right, down and forward directions as rows (3, 3)."""
        forward = normalised(self.target - self.eye)
        right = normalised(cross(forward, UP))
        down = -cross(right, forward)
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        return np.stack((cos * right - sin * down, sin * right + cos * down, forward))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Project world points (..., 3) to pixels (..., 2) and depths (...) in metres."""
        camera_points = (points - self.eye) @ self.axes().T
        depth = camera_points[..., 2]
        return camera_points[..., :2] * (self.focal / np.maximum(depth, NEAR))[..., None] + self.center, depth

    def matrix(self) -> Floats:
        """Return the projection matrix (3, 4) of homogeneous world points."""
        intrinsic = np.array([[self.focal, 0, self.center[0]], [0, self.focal, self.center[1]], [0, 0, 1.0]])
        axes = self.axes()
        return intrinsic @ np.concatenate((axes, -(axes @ self.eye)[:, None]), axis=1)

    def rays(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the world directions (3, H, W) of the pixels' centres, not normalised."""
        height, width = size
        x = ((np.arange(width) + 0.5 - self.center[0]) / self.focal).astype(np.float32)
        y = ((np.arange(height) + 0.5 - self.center[1]) / self.focal).astype(np.float32)
        right, down, forward = self.axes().astype(np.float32)
        rays: NDArray[np.float32] = (forward[:, None] + right[:, None] * x)[:, None] + (down[:, None] * y)[:, :, None]
        return rays

    def scaled(self, factor: float) -> Camera:
        """Return the same view for an image `factor` times as large."""
        return Camera(self.eye, self.target, self.focal * factor, self.roll, self.center * factor)


@dataclass(frozen=True)
class Framing:
    """The shares of a performer outside the picture, 0..1: 0 cuts nothing."""

    bottom: float = 0.0  # of the height
    top: float = 0.0  # of the height; 0 if the bottom is cut
    left: float = 0.0  # of the width, beyond the left border
    right: float = 0.0


def draw_framing(rng: np.random.Generator, *, bottom: float, side: float, top: float, lying: bool) -> Framing:
    """Draw which borders of the picture cut a performer.

    Of the performers cut at the bottom, half are visible from the waist up, the others are cut between shin and thigh.

    Args:
        rng: random generator; it always draws six values.
        bottom: probability of a cut at the bottom.
        side: probability of a cut at the left or the right.
        top: probability of a cut at the top, if there is none at the bottom.
        lying: whether the performer is near the floor; then less is cut.
    """
    chances, amounts = rng.random(3), rng.random(3)
    waist_up, share = amounts[0] < 0.5, float((2 * amounts[0]) % 1)
    bottom_cut = 0.47 + 0.13 * share if waist_up else 0.1 + 0.35 * share
    is_cut = chances < (bottom, side, top)
    side_cut = 0.15 + 0.4 * float((2 * amounts[1]) % 1) if is_cut[1] else 0.0
    return Framing(
        bottom=(0.3 * bottom_cut if lying else bottom_cut) if is_cut[0] else 0.0,
        top=0.04 + 0.2 * float(amounts[2]) if is_cut[2] and not is_cut[0] else 0.0,
        left=side_cut if amounts[1] < 0.5 else 0.0,
        right=0.0 if amounts[1] < 0.5 else side_cut,
    )


@dataclass(frozen=True)
class CameraPath:
    """The motion of a camera over time: it drifts sideways, pans, zooms, and shakes like a hand-held one."""

    start: Camera
    drift: Floats  # (3,) metres per second
    pan: Floats  # (3,) metres per second of the target
    zoom: float  # change of the focal length per second, as a share
    sway: float  # metres
    sway_phase: NDArray[np.float64]  # (6,) radians
    shake: float  # pixels
    tempo: float  # radians per second

    @property
    def is_still(self) -> bool:
        """Whether the camera stays at its position; it may shake, but it does not pan or zoom either."""
        return not (self.drift.any() or self.pan.any() or self.zoom or self.sway)

    def at(self, time_seconds: float) -> Camera:
        """Return the camera at a time; sway and drift are bounded for all times."""
        t, phase = time_seconds, self.sway_phase
        slow = np.sin(self.tempo * t + phase[:3])
        fast = np.sin(2.3 * t + phase[:2]) + 0.5 * np.sin(5.7 * t + phase[2:4])
        travel = 6 * np.sin(t / 6)  # seconds of drift; it goes forth and back
        return Camera(
            eye=self.start.eye + self.drift * travel + self.sway * slow,
            target=self.start.target + self.pan * travel,
            focal=self.start.focal * (1 + self.zoom * travel),
            roll=self.start.roll + 0.002 * self.shake * float(np.sin(1.1 * t + phase[4])),
            center=self.start.center + self.shake * fast,
        )
