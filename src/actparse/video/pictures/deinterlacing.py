"""Deinterlacing: frames that a camera took as two fields become whole pictures, as players show them.

Most files mark such frames. Copies by capture cards and converters often do not: `WovenFrames` recognises them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from actparse.video.pictures.filters import Filter, build_graph, frame_layout

Tag = TypeVar("Tag")
Order = Literal[
    "tff", "bff"
]  # the field that was taken first: the top one, with the lines 0, 2, ..., or the bottom one
Luma = NDArray[np.int16]
MIN_SIDE = 3  # pixels; the filter needs as many
YADIF = ("yadif", {"mode": "send_frame", "deint": "interlaced"})  # a frame for two fields; only of marked frames
CHECKED_COLUMNS = 240  # of a frame, at most
CHECKS_AT_START, CHECK_STRIDE = 8, 10  # the first frames are compared with their previous ones, then every 10th
MIN_CHANGE = 12  # grey levels between two frames where something moves
MIN_MOVING = 100  # pixels that move, for a comparison
MIN_COMBING = 1.0  # differences of adjacent lines, over those of the lines of one field
MIN_ADVANTAGE = 1.25  # differences of lines with the fields of two frames, in the wrong order over the right one
MIN_VOTES = 3  # frames that agree


class WovenFrames:
    """Recognises frames of two fields by the comb at the edges of what moves, whatever the file says."""

    def __init__(self) -> None:
        self.order: Order | None = None  # None as long as too few frames agree
        self._num_frames = 0
        self._votes = {"tff": 0, "bff": 0}
        self._previous: Luma | None = None

    def add(self, frame: av.VideoFrame) -> None:
        """Compare a frame with the previous one, unless it is skipped to save time."""
        index, self._num_frames = self._num_frames, self._num_frames + 1
        turn = 1 if 0 < index <= CHECKS_AT_START else index % CHECK_STRIDE
        if self.order is not None or turn > 1:
            return
        previous, self._previous = self._previous, _luma(frame)
        if turn == 0 or previous is None or self._previous is None or previous.shape != self._previous.shape:
            return
        vote = _first_field(previous, self._previous)
        if vote is not None:
            self._votes[vote] += 1
            if self._votes[vote] == MIN_VOTES > min(self._votes.values()):
                self.order = vote


def _luma(frame: av.VideoFrame) -> Luma | None:
    """Return some columns of the brightness (H, W'), 0..255; None for formats without 8-bit planes of it."""
    if not frame.format.name.startswith(("yuv4", "yuvj4", "nv12", "gray")) or frame.format.components[0].bits != 8:
        return None
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size]
    luma = lines.reshape(plane.height, plane.line_size)[:, : plane.width]
    return luma[: plane.height // 2 * 2, :: -(-plane.width // CHECKED_COLUMNS)].astype(np.int16)


def _first_field(previous: Luma, luma: Luma) -> Order | None:
    """Return which field of two frames was taken first; None if they are whole pictures or too little moves.

    Fields of one frame that were taken at different times differ along the edges of what moves. If the top one is
    first, it is nearer in time to the bottom field of the previous frame than the bottom field is to the previous top
    one. Source: the idea of FFmpeg's filter idet, here only where something moves.
    """
    if len(luma) < 2 * MIN_SIDE:
        return None
    moves = (np.abs(luma - previous) > MIN_CHANGE).reshape(len(luma) // 2, 2, -1).any(axis=1)  # (H / 2, W) line pairs
    moves = moves[:-1] | moves[1:]  # (H / 2 - 1, W)
    if moves.sum() < MIN_MOVING:
        return None
    top, bottom = luma[::2], luma[1::2]  # (H / 2, W)
    combing = _combing(top, bottom, moves)
    in_field = (np.abs(top[1:] - top[:-1]) + np.abs(bottom[1:] - bottom[:-1]))[moves].mean() / 2
    if combing < MIN_COMBING * max(1.0, in_field):
        return None
    top_first, bottom_first = _combing(top, previous[1::2], moves), _combing(previous[::2], bottom, moves)
    if bottom_first > MIN_ADVANTAGE * top_first:
        return "tff"
    return "bff" if top_first > MIN_ADVANTAGE * bottom_first else None


def _combing(top: Luma, bottom: Luma, moves: NDArray[np.bool_]) -> float:
    """Return the mean difference of adjacent lines, of two fields, where something moves."""
    return float((np.abs(top[:-1] - bottom[:-1]) + np.abs(top[1:] - bottom[:-1]))[moves].mean() / 2)


def deinterlace(
    frames: Iterable[tuple[Tag, av.VideoFrame]], woven: WovenFrames | None = None
) -> Iterator[tuple[Tag, av.VideoFrame]]:
    """Yield the frames, one for each, in order; those that are marked as interlaced are deinterlaced by yadif.

    Frames before the first interlaced one are passed through at once; from then on they come one frame later.

    Args:
        frames: decoded frames with anything that belongs to them, such as an index.
        woven: recognises frames without a mark; once it does, all later frames are deinterlaced.
    """
    graph: Graph | None = None
    setup: tuple[int, int, str, Order | None] | None = None  # of the graph: size, pixel format, order without a mark
    waiting: deque[Tag] = deque()
    is_marked = False
    for tag, frame in frames:
        is_marked |= frame.interlaced_frame
        if woven is not None and not is_marked:
            woven.add(frame)
        order = None if woven is None else woven.order
        wanted = (*frame_layout(frame), order)
        if graph is not None and setup != wanted:
            yield from _pull(graph, waiting, ended=True)
            waiting.clear()  # the next graph must not return a frame that this one kept
            graph = None
        is_interlaced = frame.interlaced_frame or order is not None
        if graph is None and not (is_interlaced and min(frame.width, frame.height) >= MIN_SIDE):
            yield tag, frame
            continue
        if graph is None:
            marks: list[Filter] = [] if order is None else [("setfield", {"mode": order})]
            graph, setup = build_graph(frame, *marks, YADIF), wanted
        waiting.append(tag)
        graph.push(frame)
        yield from _pull(graph, waiting)
    if graph is not None:
        yield from _pull(graph, waiting, ended=True)


def _pull(graph: Graph, waiting: deque[Tag], *, ended: bool = False) -> Iterator[tuple[Tag, av.VideoFrame]]:
    if ended:
        graph.push(None)
    while waiting:
        try:
            yield waiting[0], graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        waiting.popleft()
