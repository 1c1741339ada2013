"""Graphics over a finished frame: captions, subtitles, logos, scoreboards, a phone's controls, insets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.drawing.footage.pictures import words
from actparse.synth.drawing.mesh import NO_PERSON
from actparse.synth.drawing.texture import any_color, surface

Image = NDArray[np.uint8]
Size = tuple[int, int]
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)
HIDES_FROM = 128  # opacity, 0 to 255, from which a graphic hides a person


@dataclass(frozen=True)
class Graphic:
    """A picture (h, w, 3) with its opacity (h, w), 0..255, at `corner` (x, y); it is shown in every `period` once.

    Within a period, in seconds, it is visible from `start` to `end`; a period of 0 shows it always.
    """

    image: Image
    opacity: Image
    corner: tuple[int, int]
    period: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def put(self, frame: Image, ids: Image, time_seconds: float) -> None:
        """Draw it on a frame (H, W, 3) and mark what it hides in the id plane (H, W), both in place."""
        if self.period and not self.start <= time_seconds % self.period < self.end:
            return
        x, y = self.corner
        height, width = self.opacity.shape
        window = frame[y : y + height, x : x + width]
        share = cv2.cvtColor(self.opacity, cv2.COLOR_GRAY2RGB)
        upper = cv2.multiply(self.image, share, scale=1 / 255)
        window[:] = cv2.add(upper, cv2.multiply(window, cv2.bitwise_not(share), scale=1 / 255))
        ids[y : y + height, x : x + width][self.opacity >= HIDES_FROM] = NO_PERSON


@dataclass
class _Canvas:
    """A frame to draw on: RGB (H, W, 3) and opacity (H, W)."""

    image: Image
    opacity: Image

    def box(self, corner: tuple[int, int], size: tuple[int, int], color: list[float], opacity: int) -> None:
        end = (corner[0] + size[0], corner[1] + size[1])
        cv2.rectangle(self.image, corner, end, color, -1)
        cv2.rectangle(self.opacity, corner, end, opacity, -1)

    def disc(self, center: tuple[int, int], radius: int, color: list[float], width: int = -1) -> None:
        cv2.circle(self.image, center, radius, color, width, cv2.LINE_AA)
        cv2.circle(self.opacity, center, radius, 255, width, cv2.LINE_AA)

    def text(
        self, text: str, corner: tuple[int, int], scale: float, color: list[float], *, font: int, outline: bool
    ) -> None:
        """Draw a line of text whose lower left corner is `corner`."""
        thick = max(1, round(scale * 1.6))
        if outline:
            cv2.putText(self.image, text, corner, font, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
            cv2.putText(self.opacity, text, corner, font, scale, 255, thick + 2, cv2.LINE_AA)
        cv2.putText(self.image, text, corner, font, scale, color, thick, cv2.LINE_AA)
        cv2.putText(self.opacity, text, corner, font, scale, 255, thick, cv2.LINE_AA)


def draw_graphics(rng: np.random.Generator, size: Size, *, share: float) -> list[Graphic]:
    """Draw the graphics of a video whose frames have this (height, width); `share` of the videos have any."""
    if rng.random() >= share:
        return []
    graphics: list[Graphic] = []
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        draw = KINDS[int(rng.integers(len(KINDS)))]
        period, start, end = 0.0, 0.0, 0.0
        if draw in (_subtitle, _headline):
            period = float(rng.uniform(3, 8))
            start, end = 0.0, period * float(rng.uniform(0.5, 1.0))
        canvas = _Canvas(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8))
        draw(rng, canvas)
        x, y, width, height = cv2.boundingRect(canvas.opacity)
        if width:
            window = (slice(y, y + height), slice(x, x + width))
            graphics.append(Graphic(canvas.image[window], canvas.opacity[window], (x, y), period, start, end))
    return graphics


def _white_or_color(rng: np.random.Generator) -> list[float]:
    return [255.0, 255.0, 255.0] if rng.random() < 0.65 else list(any_color(rng))


def _subtitle(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw one or two centred lines at the bottom."""
    height, width = canvas.opacity.shape
    scale, font = min(height, width) / 240 * float(rng.uniform(0.35, 0.6)), int(rng.choice(FONTS))
    lines = int(rng.integers(1, 3))
    boxed = rng.random() < 0.3
    color = _white_or_color(rng)
    for line in range(lines):
        text = words(rng, int(rng.integers(2, 6)))
        (wide, tall), base = cv2.getTextSize(text, font, scale, 1)
        x, y = max(2, (width - wide) // 2), int(height * 0.94) - (lines - 1 - line) * int(tall * 1.7)
        if boxed:
            canvas.box((x - 4, y - tall - 3), (wide + 8, tall + base + 4), [0, 0, 0], 170)
        canvas.text(text, (x, y), scale, color, font=font, outline=not boxed)


def _headline(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw large words, as in short videos: anywhere, with an outline or on a box."""
    height, width = canvas.opacity.shape
    scale, font = min(height, width) / 240 * float(rng.uniform(0.6, 1.3)), int(rng.choice(FONTS))
    text = words(rng, int(rng.integers(1, 3)))
    (wide, tall), base = cv2.getTextSize(text, font, scale, 2)
    x, y = max(2, (width - wide) // 2), int(height * rng.choice([0.14, 0.2, 0.75, rng.uniform(0.15, 0.9)]))
    boxed = rng.random() < 0.4
    if boxed:
        canvas.box((x - 6, y - tall - 5), (wide + 12, tall + base + 8), list(any_color(rng)), 255)
    canvas.text(text, (x, y), scale, _white_or_color(rng), font=font, outline=not boxed)


def _lower_third(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw a name on two bars at the lower left, as broadcasters do."""
    height, width = canvas.opacity.shape
    bar, top = max(12, height // 13), int(height * rng.uniform(0.72, 0.84))
    x, wide = int(width * rng.uniform(0, 0.08)), int(width * rng.uniform(0.35, 0.7))
    for line, color in enumerate((any_color(rng), any_color(rng))):
        canvas.box(
            (x, top + line * bar), (int(wide * (1 - 0.25 * line)), bar), list(color), int(rng.choice([255, 210]))
        )
        ink = [255.0] * 3 if color.mean() < 140 else [10.0] * 3
        canvas.text(words(rng, 2), (x + 5, top + line * bar + int(bar * 0.75)), bar / 32, ink, font=FONTS[0],
                    outline=False)  # fmt: skip


def _logo(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw the mark of a station or a website in a corner, often half transparent."""
    height, width = canvas.opacity.shape
    side = int(min(height, width) * rng.uniform(0.06, 0.14))
    x = int(rng.choice([6, width - 3 * side - 6]))
    y = int(rng.choice([6, height - side - 8]))
    color = _white_or_color(rng)
    kind = rng.random()
    if kind < 0.6:
        canvas.disc((x + side // 2, y + side // 2), max(3, side // 2), color, int(rng.choice([-1, 2])))
    if kind > 0.3:
        canvas.text(words(rng, 1)[:6], (x + side + 3, y + int(side * 0.75)), side / 36, color, font=FONTS[1],
                    outline=False)  # fmt: skip
    canvas.opacity[:] = (canvas.opacity * rng.choice([0.4, 0.7, 1.0])).astype(np.uint8)


def _scoreboard(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw two teams with their points and a clock at the top."""
    height, width = canvas.opacity.shape
    bar, x, y = max(11, height // 16), int(width * rng.choice([0.03, 0.3, 0.6])), int(height * 0.04)
    for index in range(int(rng.integers(2, 4))):
        color = any_color(rng)
        ink = [255.0] * 3 if color.mean() < 140 else [10.0] * 3
        text = words(rng, 1)[:3].upper() if index < 2 else f"{rng.integers(10)}:{rng.integers(10, 60)}"
        canvas.box((x, y), (int(bar * 3.6), bar), list(color), 255)
        canvas.text(f"{text} {rng.integers(30)}" if index < 2 else text, (x + 3, y + int(bar * 0.75)), bar / 34, ink,
                    font=FONTS[1], outline=False)  # fmt: skip
        if rng.random() < 0.5:
            y += bar
        else:
            x += int(bar * 3.6)


def _controls(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw the buttons and the progress bar of a phone's video player."""
    height, width = canvas.opacity.shape
    radius = max(4, min(height, width) // 30)
    for index in range(int(rng.integers(2, 5))):
        center = (width - 2 * radius - 4, int(height * 0.45) + index * 3 * radius)
        canvas.disc(center, radius, _white_or_color(rng), int(rng.choice([-1, 2])))
    if rng.random() < 0.6:
        y = height - max(3, height // 60)
        canvas.box((4, y), (width - 8, 2), [150, 150, 150], 200)
        canvas.box((4, y), (int(width * rng.uniform(0.1, 0.9)), 2), [230, 30, 30], 255)
    canvas.text("@" + words(rng, 1).lower(), (6, int(height * 0.9)), min(height, width) / 560, [255.0] * 3,
                font=FONTS[0], outline=True)  # fmt: skip


def _recording(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw what a camera's own screen shows: a red dot, a date, a counter, corners of a viewfinder."""
    height, width = canvas.opacity.shape
    scale = min(height, width) / 520
    ink = [255.0] * 3 if rng.random() < 0.7 else [250.0, 180.0, 40.0]
    day, month, year = rng.integers(1, 29), rng.integers(1, 13), rng.integers(1996, 2024)
    stamp = f"{day:02d}.{month:02d}.{year} {rng.integers(24)}:{rng.integers(10, 60)}"
    canvas.text(stamp, (int(width * 0.55), int(height * 0.95)), scale, ink, font=FONTS[0], outline=False)
    if rng.random() < 0.5:
        canvas.disc((int(width * 0.06), int(height * 0.07)), max(3, height // 50), [225.0, 20.0, 20.0])
        canvas.text("REC", (int(width * 0.09), int(height * 0.09)), scale, ink, font=FONTS[0], outline=False)


def _inset(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw a small picture of something else in a corner, with a rim."""
    height, width = canvas.opacity.shape
    size = (int(height * rng.uniform(0.16, 0.3)), int(width * rng.uniform(0.16, 0.3)))
    x, y = (int(rng.choice([5, side - own - 6])) for side, own in ((width, size[1]), (height, size[0])))
    canvas.box((x - 2, y - 2), (size[1] + 3, size[0] + 3), _white_or_color(rng), 255)
    canvas.image[y : y + size[0], x : x + size[1]] = cv2.GaussianBlur(surface(rng, size), (0, 0), 0.8)


def _bottom_banner(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Draw a running text in a bar along the lower border."""
    height, width = canvas.opacity.shape
    bar = max(12, height // 14)
    canvas.box((0, height - bar), (width, bar), list(any_color(rng)), int(rng.choice([180, 255])))
    canvas.text(words(rng, 9), (int(rng.integers(-60, 20)), height - bar // 4), bar / 34, _white_or_color(rng),
                font=FONTS[0], outline=True)  # fmt: skip


KINDS: tuple[Callable[[np.random.Generator, _Canvas], None], ...] = (
    _subtitle, _subtitle, _headline, _lower_third, _logo, _logo, _logo, _scoreboard, _controls, _recording, _inset,
    _bottom_banner,
)  # fmt: skip
