"""The cameras of a video: where they are, how they move, and when the picture changes from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.camera import (
    BODY_HEIGHT,
    BODY_WIDTH,
    LYING_HEIGHT,
    Camera,
    CameraPath,
    Framing,
    draw_framing,
)
from actparse.synth.drawing.footage.sight import TIMES, inside, unhidden
from actparse.synth.drawing.mesh import Floats

ANCHOR_SECONDS = 3.0  # for which the scenery of a moving camera is painted once
VIDEO_SECONDS = 12.0  # a cut is earlier than this
MIN_EYE_METRES = 0.12  # lowest camera
MIN_DISTANCE = 1.9  # metres from the camera to what it looks at
TRIES, WHOLE_FROM = 16, 6  # cameras to choose from for a shot; those from WHOLE_FROM aim at the whole main performer
MIN_IN_SIGHT = 8  # keypoints of the main performer that a camera sees at any time
MIN_WHOLE = 15.0  # keypoints within the picture, on average, in a shot of the whole main performer


@dataclass(frozen=True)
class ShotShares:
    """Probabilities, 0..1, of cuts, close views and motions of the camera."""

    cut: float  # of videos with one to three cuts
    close: float  # of shots that show a part of a body
    turned: float  # of videos with a camera at any roll
    moving: float  # of shots with a moving camera
    bottom: float  # of shots whose lower border cuts the main performer
    side: float
    top: float


@dataclass(frozen=True)
class Shots:
    """The shots of a video: `starts` in seconds, the first is 0, and the path of the camera in each."""

    starts: tuple[float, ...]
    paths: tuple[CameraPath, ...]

    @property
    def start(self) -> Camera:
        """The camera at the beginning."""
        return self.paths[0].start

    @property
    def eyes(self) -> Floats:
        """Where the cameras are (N, 3), at the beginning, the middle and the end of each shot."""
        times = np.linspace(0, VIDEO_SECONDS, 7)
        return np.array([path.at(float(time)).eye for path in self.paths for time in times])

    def index_at(self, time_seconds: float) -> int:
        """Return the index of the shot at a time."""
        return max(0, int(np.searchsorted(self.starts, time_seconds, side="right")) - 1)

    def at(self, time_seconds: float) -> Camera:
        """Return the camera at a time."""
        return self.paths[self.index_at(time_seconds)].at(time_seconds)

    def anchor(self, time_seconds: float) -> Camera:
        """Return a camera that is close to the one at this time, and the same for some seconds."""
        path = self.paths[self.index_at(time_seconds)]
        if path.is_still:
            return path.start
        return path.at((np.floor(time_seconds / ANCHOR_SECONDS) + 0.5) * ANCHOR_SECONDS)

    def seconds_in_shot(self, time_seconds: float) -> float:
        """Return the time since the last cut, or since the beginning."""
        return time_seconds - self.starts[self.index_at(time_seconds)]


def draw_shots(
    rng: np.random.Generator, people: Floats, metres: tuple[float, float], size: tuple[int, int], shares: ShotShares
) -> Shots:
    """Draw the cameras of a video; each shot shows at least a part of the main performer.

    Args:
        rng: random generator.
        people: (T, N, 17, 3) keypoints of everyone at `TIMES`, world metres, the main performer first.
        metres: (height, width) of the space for one performer.
        size: (height, width) of the picture, pixels.
        shares: how often cameras do what.
    """
    starts = [0.0]
    if rng.random() < shares.cut:
        for _ in range(int(rng.integers(1, 4))):
            starts.append(starts[-1] + float(rng.uniform(1.5, 5.0)))
    starts = [start for start in starts if start < VIDEO_SECONDS]
    turn = 0.0
    if rng.random() < shares.turned:
        turn = float(rng.choice([np.pi / 2, -np.pi / 2, np.pi, 0.0])) + rng.uniform(-0.6, 0.6)
    paths = []
    for start, end in zip(starts, [*starts[1:], VIDEO_SECONDS], strict=True):
        is_during = (np.array(TIMES) > start - 0.75) & (np.array(TIMES) < end + 0.75)
        paths.append(_draw_shot(rng, people, is_during, metres, size, shares, turn))
    return Shots(tuple(starts), tuple(paths))


def _draw_shot(
    rng: np.random.Generator,
    people: Floats,
    is_during: NDArray[np.bool_],
    metres: tuple[float, float],
    size: tuple[int, int],
    shares: ShotShares,
    turn: float,
) -> CameraPath:
    """Draw cameras until one shows enough of the main performer; if none does, return the best of them."""
    times, during = np.array(TIMES)[is_during], people[is_during]
    framing = draw_framing(rng, bottom=shares.bottom, side=shares.side, top=shares.top, lying=metres[0] < LYING_HEIGHT)
    is_close = rng.random() < shares.close
    candidates: list[tuple[float, CameraPath]] = []
    for attempt in range(TRIES):
        if attempt >= WHOLE_FROM:
            start = _aim_at_all_of(rng, during[:, 0], size, slack=0.1 * (attempt - WHOLE_FROM))
        elif is_close:
            start = _aim_at_part(rng, during[len(during) // 2, 0], size)
        else:
            start = _frame(rng, during.mean(axis=(0, 2)) * [1, 0, 1], metres, size, framing)
        path = _move(rng, replace(start, roll=start.roll + turn), size, shares.moving)
        cameras = [path.at(float(time)) for time in times]
        is_inside = np.array([inside(camera, points[0], size) for camera, points in zip(cameras, during, strict=True)])
        in_sight = is_inside & [
            unhidden(camera.eye, points[0], points[1:]) for camera, points in zip(cameras, during, strict=True)
        ]
        least, mean = float(in_sight.sum(axis=1).min()), float(is_inside.sum(axis=1).mean())
        is_whole = attempt >= WHOLE_FROM or not (is_close or framing != Framing())
        if least >= MIN_IN_SIGHT and (mean >= MIN_WHOLE or not is_whole):
            return path
        candidates.append((least + 0.1 * mean, path))
    return max(candidates, key=lambda candidate: candidate[0])[1]


def _frame(
    rng: np.random.Generator, places: Floats, metres: tuple[float, float], size: tuple[int, int], framing: Framing
) -> Camera:
    """Draw a camera that shows the space of the main performer among the others, at (N, 3), less what a border cuts."""
    height, width = size
    body = min(metres[0], BODY_HEIGHT)
    spread = float(np.abs(places[:, 0] - places[0, 0]).max()) * rng.uniform(0, 1.0)
    tall = metres[0] - framing.bottom * body if not framing.top else (1 - framing.top) * body
    extent = max(tall, (0.75 * metres[1] + spread) * (1 - framing.bottom) * height / width)
    picture_height = extent / rng.uniform(0.62, 1.0)
    middle = places[0] + rng.uniform(0, 0.6) * (places.mean(axis=0) - places[0])
    target = np.array([middle[0], 0.5 * min(extent, metres[0]), middle[2]])
    target[:2] += rng.normal(0, (0.1, 0.05)) * picture_height
    if framing.bottom:
        target[1] = framing.bottom * body + 0.5 * picture_height
    if framing.top:
        target[1] = (1 - framing.top) * body - 0.5 * picture_height
    shift = 0.5 * picture_height * width / height
    if framing.left:
        target[0] = places[0, 0] + (framing.left - 0.5) * BODY_WIDTH + shift
    if framing.right:
        target[0] = places[0, 0] + (0.5 - framing.right) * BODY_WIDTH - shift
    return _look_at(rng, target, picture_height, size)


def _aim_at_part(rng: np.random.Generator, keypoints: Floats, size: tuple[int, int]) -> Camera:
    """Draw a camera close to a part of a body with keypoints (17, 3)."""
    middle = keypoints.mean(axis=0)
    reach = float(np.linalg.norm(keypoints - middle, axis=1).max())  # about 1 m of a standing adult
    target = middle + rng.uniform(0.3, 0.75) * (keypoints[rng.integers(len(keypoints))] - middle)
    picture_height = rng.uniform(0.6, 1.3) * max(1.0, size[0] / size[1]) * float(np.clip(reach, 0.35, 1.0))
    return _look_at(rng, target, picture_height, size)


def _aim_at_all_of(rng: np.random.Generator, keypoints: Floats, size: tuple[int, int], *, slack: float) -> Camera:
    """Draw a camera that shows keypoints (T, 17, 3) of one person with some space around them, more with `slack`."""
    low, high = keypoints.min(axis=(0, 1)), keypoints.max(axis=(0, 1))
    wide = float(np.linalg.norm((high - low)[[0, 2]]))
    picture_height = (0.25 + max(float(high[1] - low[1]), wide * size[0] / size[1])) * (rng.uniform(1.1, 1.4) + slack)
    return _look_at(rng, 0.5 * (low + high), picture_height, size)


def _look_at(rng: np.random.Generator, target: Floats, picture_height: float, size: tuple[int, int]) -> Camera:
    """Draw where the camera is whose picture is `picture_height` metres high at its target."""
    height, width = size
    distance = max(MIN_DISTANCE, float(np.clip(np.exp(rng.normal(1.45, 0.35)), 2.2, 9.0)))
    azimuth = float(np.clip(rng.normal(0, 0.35), -1.0, 1.0))
    eye = target + distance * np.array([np.sin(azimuth), 0, np.cos(azimuth)])
    eye[1] = _eye_height(rng)
    focal = height * float(np.linalg.norm(eye - target)) / picture_height
    return Camera(eye, target, focal, rng.normal(0, 0.022), np.array([width, height]) / 2)


def _move(rng: np.random.Generator, start: Camera, size: tuple[int, int], moving_share: float) -> CameraPath:
    """Draw how a camera moves from its start."""
    picture_height = size[0] * float(np.linalg.norm(start.eye - start.target)) / start.focal
    moving = float(rng.random() < moving_share)
    shake = float(rng.choice([0.0, 0.0, 0.3, 0.8, 2.0])) * size[0] / 240
    return CameraPath(
        start=start,
        drift=moving * rng.normal(0, [0.16, 0.03, 0.08]),
        pan=moving * rng.normal(0, [0.05, 0.015, 0.0]) * picture_height / 2,
        zoom=moving * float(rng.choice([0.0, rng.normal(0, 0.012), rng.normal(0, 0.03)])),
        sway=float(rng.choice([0.0, 0.005, 0.015])) if shake else 0.0,
        sway_phase=rng.uniform(0, 2 * np.pi, 6),
        shake=shake,
        tempo=rng.uniform(0.5, 1.4),
    )


def _eye_height(rng: np.random.Generator) -> float:
    """Draw the height of a camera, metres: mostly in somebody's hands, sometimes on the ground or above the heads."""
    kind = rng.random()
    if kind < 0.15:
        return float(rng.uniform(MIN_EYE_METRES, 0.6))
    if kind < 0.4:
        return float(rng.uniform(0.6, 1.3))
    if kind < 0.82:
        return float(rng.uniform(1.3, 1.8))
    return float(rng.uniform(1.8, 3.6))
