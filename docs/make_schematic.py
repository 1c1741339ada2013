"""Draw moments of parses as stick figures with part boxes and states: what a parse says, without a picture of anybody.

python docs/make_schematic.py OUT.svg PARSE.json@SECONDS [PARSE.json@SECONDS ...]
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from actparse.core.errors import ActparseError
from actparse.core.files import write_text
from actparse.core.structures import FrameParse, PersonParse, VideoParse
from actparse.core.vocabulary import KEYPOINTS, SKELETON
from actparse.data.parses import load_parse
from actparse.report.overlay import Color, side_color

SIDE = 300.0  # of a moment's square, in the drawing's own units
MARGIN, TITLE, LIST = 14.0, 34.0, 132.0  # around a square; above it; of the states below it
ROOM = 1.25  # side of the square over the longer side of the person's box
MIN_CONFIDENCE = 0.2  # of a keypoint that is drawn
MIN_PART_SCORE = 0.2
QUIET_STATES = ("none",)
GROUPS_BELOW = ("arm", "hand", "leg", "foot")
LISTED = ("head", "hip", *(f"{side}_{group}" for group in GROUPS_BELOW for side in ("left", "right")))  # two in a row
PAPER, TEXT, FAINT = "#ffffff", "#16181d", "#6b7280"


def main(arguments: list[str]) -> int:
    """Draw what the command line names; return the exit code."""
    try:
        out, *moments = arguments
        drawn = [moment_of(moment) for moment in moments]
    except (ValueError, ActparseError) as error:
        sys.stderr.write(f"make_schematic: needs OUT.svg and PARSE.json@SECONDS, got: {error}\n")
        return 2
    write_text(Path(out), draw_moments(drawn))
    return 0


def moment_of(argument: str) -> tuple[VideoParse, FrameParse]:
    """Read PARSE.json@SECONDS as a parse and its frame next to that time.

    Raises:
        ValueError: the time is no number, or the parse has no frame with a person.
    """
    path, _, seconds = argument.rpartition("@")
    parse, time = load_parse(Path(path)), float(seconds)
    frames = [frame for frame in parse.frames if frame.persons]
    if not frames:
        raise ValueError(f"{path} has no person")
    return parse, min(frames, key=lambda frame: abs(frame.time_seconds - time))


def draw_moments(moments: list[tuple[VideoParse, FrameParse]]) -> str:
    """Return an SVG with a square for the largest person of each moment, and the states of the parts below."""
    step = SIDE + 2 * MARGIN
    width, height = step * len(moments), TITLE + SIDE + LIST + 2 * MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">'
    lines = [head, f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>']
    for column, (parse, frame) in enumerate(moments):
        person = max(frame.persons, key=lambda each: _longer_side(each.box))
        lines.append(f'<g transform="translate({column * step + MARGIN:g} {MARGIN:g})">')
        lines.append(_text(0, 20, parse.verdict_text, size=17))
        lines += [f'<g transform="translate(0 {TITLE:g})">', *_figure(person), "</g>"]
        lines += [f'<g transform="translate(0 {TITLE + SIDE:g})">', *_states(person), "</g>", "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _longer_side(box: tuple[float, float, float, float]) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _figure(person: PersonParse) -> list[str]:
    """Limbs, joints and part boxes in a square about the person's box."""
    x1, y1, x2, y2 = person.box
    scale = SIDE / (ROOM * max(_longer_side(person.box), 1))

    def placed(x: float, y: float) -> tuple[float, float]:
        return (x - (x1 + x2) / 2) * scale + SIDE / 2, (y - (y1 + y2) / 2) * scale + SIDE / 2

    lines = [f'<rect width="{SIDE:g}" height="{SIDE:g}" rx="10" fill="#f3f4f6"/>']
    for part in person.parts:
        if part.score >= MIN_PART_SCORE:
            (left, top), (right, bottom) = placed(*part.box[:2]), placed(*part.box[2:])
            lines.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="3" '
                f'fill="{_hex(side_color(part.name))}" fill-opacity=".13" stroke="{_hex(side_color(part.name))}" '
                'stroke-width="1.6"/>'
            )
    shown = [confidence >= MIN_CONFIDENCE for _, _, confidence in person.keypoints]
    points = [placed(x, y) for x, y, _ in person.keypoints]
    for start, end in SKELETON:
        if shown[start] and shown[end]:
            (ax, ay), (bx, by) = points[start], points[end]
            lines.append(f'<path d="M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}" stroke="#374151" stroke-width="3.4"/>')
    for name, (x, y), is_shown in zip(KEYPOINTS, points, shown, strict=True):
        if is_shown:
            lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_hex(side_color(name))}"/>')
    return lines


def _states(person: PersonParse) -> list[str]:
    """Two columns of parts and their states."""
    rows = []
    in_order = sorted(person.parts, key=lambda part: LISTED.index(part.name))
    for row, part in enumerate(in_order):
        x, y = (row % 2) * SIDE / 2, 22 + 22 * (row // 2)
        state = part.state or "-"
        ink = FAINT if state in QUIET_STATES else TEXT
        rows.append(f'<circle cx="{x + 5:g}" cy="{y - 5:g}" r="4" fill="{_hex(side_color(part.name))}"/>')
        rows.append(_text(x + 15, y, f"{part.name.replace('_', ' ')}: {state.replace('_', ' ')}", size=14, ink=ink))
    return rows


def _text(x: float, y: float, words: str, *, size: float, ink: str = TEXT) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{ink}">{escape(words)}</text>'


def _hex(color: Color) -> str:
    return "#" + "".join(f"{value:02x}" for value in color)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
