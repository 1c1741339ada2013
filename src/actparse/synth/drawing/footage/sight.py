"""What the cameras of a video see of its main performer, and whether something new would hide too much of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import NEAR, Camera
from actparse.synth.drawing.mesh import Floats, Mesh

Flags = NDArray[np.bool_]
TIMES = tuple(1.5 * index for index in range(9))  # seconds, at which the main performer's visibility is checked
MARGIN = 0.03  # of the picture; keypoints this close to its border do not count
BODY_RADIUS = 0.13  # metres around the keypoints of other people
NEAREST = 0.6  # metres from the camera to a keypoint


def inside(camera: Camera, points: Floats, size: tuple[int, int]) -> Flags:
    """Return which points (K, 3) are well within the picture of (height, width) pixels, none if one is too near."""
    pixels, depths = camera.project(points)
    border = MARGIN * np.array(size[::-1])
    flags: Flags = ((pixels > border) & (pixels < size[::-1] - border)).all(axis=1) & (depths.min() > NEAREST)
    return flags


def unhidden(eye: Floats, points: Floats, others: Floats) -> Flags:
    """Return which points (K, 3) are in sight from `eye` past people with keypoints (N, 17, 3)."""
    centers = others[:, [5, 6, 11, 12]].mean(axis=1, keepdims=True)
    limbs = 0.5 * (others[:, 11:15] + others[:, 13:17])
    spheres = np.concatenate((others, centers, limbs), axis=1).reshape(-1, 3)  # (S, 3)
    rays = points - eye  # (K, 3)
    offsets = spheres - eye
    share = (offsets @ rays.T) / np.maximum((rays**2).sum(axis=1), 1e-9)  # (S, K), 1 at the point
    distances = np.linalg.norm(offsets[:, None] - np.clip(share, 0, 1)[..., None] * rays, axis=2)
    is_ahead = share < 1 - 2 * BODY_RADIUS / np.maximum(np.linalg.norm(rays, axis=1), 1e-9)
    flags: Flags = ~((distances < BODY_RADIUS) & is_ahead).any(axis=0)
    return flags


class Sight:
    """The main performer's keypoints that the cameras see; things in front are admitted while enough remain in sight.

    Args:
        cameras: T cameras, those of `TIMES`.
        points: (T, 17, 3) keypoints in the world.
        in_sight: (T, 17) whether the camera sees them.
        pixels: (T, 17, 2) where the frame shows them.
        min_keypoints: least number of keypoints in sight at any time; 0 allows everything.
    """

    def __init__(
        self, cameras: Sequence[Camera], points: Floats, in_sight: Flags, pixels: Floats, *, min_keypoints: int
    ) -> None:
        self._cameras, self._points, self._in_sight = cameras, points, in_sight
        self._pixels = np.floor(pixels).astype(int)
        self._min_keypoints = min_keypoints

    def try_add_meshes(self, meshes: list[Mesh]) -> bool:
        """Add things to the world if they leave enough in sight; return whether they do."""
        hidden = np.array(
            [_covered(meshes, camera, points) for camera, points in zip(self._cameras, self._points, strict=True)]
        )
        return self._try_hide(hidden)

    def try_add_layer(self, opaque: Flags, corner: tuple[int, int], shifts: NDArray[np.int64] | None = None) -> bool:
        """Add a layer over the frame if it leaves enough in sight; return whether it does.

        Args:
            opaque: (h, w) the pixels that it hides.
            corner: x, y of its first pixel in the frame.
            shifts: (T, 2) pixels by x, y at each time; None: it does not move.
        """
        places = self._pixels - np.array(corner)
        if shifts is not None:
            places = places - shifts[:, None]
        is_on_layer = ((places >= 0) & (places < opaque.shape[::-1])).all(axis=2)
        columns, lines = np.where(is_on_layer[..., None], places, 0).transpose(2, 0, 1)
        return self._try_hide(is_on_layer & opaque[lines, columns])

    def _try_hide(self, hidden: Flags) -> bool:
        remaining = self._in_sight & ~hidden
        is_worse = remaining.sum(axis=1) < self._in_sight.sum(axis=1)
        if (is_worse & (remaining.sum(axis=1) < self._min_keypoints)).any():
            return False
        self._in_sight = remaining
        return True


def _covered(meshes: list[Mesh], camera: Camera, points: Floats) -> Flags:
    """Return which points (K, 3) are behind a mesh."""
    covered = np.zeros(len(points), bool)
    if not meshes:
        return covered
    pixels, depths = camera.project(points)
    ends = np.cumsum([len(mesh.vertices) for mesh in meshes])[:-1]
    all_corners, all_depths = camera.project(np.concatenate([mesh.vertices for mesh in meshes]))
    for corners, corner_depths in zip(np.split(all_corners, ends), np.split(all_depths, ends), strict=True):
        is_behind = depths > corner_depths.mean()
        if corner_depths.min() < NEAR:
            covered |= is_behind & (corner_depths.max() > NEAR)
            continue
        is_over = (pixels >= corners.min(axis=0)).all(axis=1) & (pixels <= corners.max(axis=0)).all(axis=1)
        candidates = np.flatnonzero(is_behind & is_over & ~covered)
        if len(candidates):
            hull = cv2.convexHull(corners.astype(np.float32))
            for index in candidates:
                x, y = pixels[index].tolist()
                covered[index] = cv2.pointPolygonTest(hull, (x, y), False) >= 0
    return covered
