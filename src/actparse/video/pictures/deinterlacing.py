"""Deinterlacing: frames that a camera took as two fields become whole pictures, as players show them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

import av
from av.filter import Graph

from actparse.video.pictures.filters import build_graph, frame_layout

Tag = TypeVar("Tag")
MIN_SIDE = 3  # pixels; the filter needs as many
YADIF = ("yadif", {"mode": "send_frame", "deint": "interlaced"})  # a frame for two fields; only of marked frames


def deinterlace(frames: Iterable[tuple[Tag, av.VideoFrame]]) -> Iterator[tuple[Tag, av.VideoFrame]]:
    """Yield the frames, one for each, in order; those that are marked as interlaced are deinterlaced by yadif.

    Frames before the first interlaced one are passed through at once; from then on they come one frame later.

    Args:
        frames: decoded frames with anything that belongs to them, such as an index.
    """
    graph: Graph | None = None
    layout: tuple[int, int, str] | None = None  # of the frames in the graph
    waiting: deque[Tag] = deque()
    for tag, frame in frames:
        if graph is not None and layout != frame_layout(frame):
            yield from _pull(graph, waiting, ended=True)
            graph = None
        if graph is None and not (frame.interlaced_frame and min(frame.width, frame.height) >= MIN_SIDE):
            yield tag, frame
            continue
        if graph is None:
            graph, layout = build_graph(frame, YADIF), frame_layout(frame)
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
