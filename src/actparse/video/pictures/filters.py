"""FFmpeg's filters for decoded frames."""

from __future__ import annotations

from fractions import Fraction

import av
from av.filter import Graph

Filter = tuple[str, dict[str, str]]  # name and options


def frame_layout(frame: av.VideoFrame) -> tuple[int, int, str]:
    """Return what a graph's frames have in common: width, height, pixel format."""
    return frame.width, frame.height, frame.format.name


def build_graph(frame: av.VideoFrame, *filters: Filter) -> Graph:
    """Return a chain of filters for frames with the layout of `frame`."""
    graph = Graph()
    time_base = frame.time_base or Fraction(1, 1000)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    nodes = [graph.add(name, **options) for name, options in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph
