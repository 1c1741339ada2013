"""Colours beyond those of ordinary video (HDR, BT.2020) brought to BT.709, as a player shows them on such a screen."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

from actparse.video.pictures.filters import build_graph, frame_layout

Floats = NDArray[np.float64]
WHITE_NITS = 203.0  # luminance of HDR's reference white, which becomes SDR's. Source: ITU-R BT.2408, table 1
PEAK_NITS = 1000.0  # brighter light is cut off; the usual peak of mastering, and HLG's nominal one
KNEE = 0.7  # of the reference white; darker light keeps its brightness, brighter light is compressed
GAMMA = 2.4  # of an SDR screen. Source: ITU-R BT.1886
LUT_SIZE = 33  # entries of a side of the table
TO_BT709 = {  # linear RGB with these primaries to BT.709. Source: ITU-R BT.2407, annex 2; SMPTE EG 432-1
    ColorPrimaries.BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    ColorPrimaries.SMPTE432: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
UNSPECIFIED = 2  # FFmpeg's code of a matrix that a file does not state
LUMA = np.array((0.2627, 0.6780, 0.0593))  # of BT.2020


def needs_conversion(frame: av.VideoFrame) -> bool:
    """Tell whether the frame is HDR, or has wider primaries than BT.709."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67) or frame.color_primaries in TO_BT709


class SdrConverter:
    """Converts frames with the colours of the first one to RGB with those of BT.709, by FFmpeg's filter lut3d."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._layout: tuple[int, int, str] | None = None  # of the graph's frames

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame of the pixel format gbrp10le."""
        if self._graph is None or self._layout != frame_layout(frame):
            is_untagged = frame.colorspace == UNSPECIFIED and frame.color_primaries == ColorPrimaries.BT2020
            scale = {"in_color_matrix": "bt2020"} if is_untagged else {}
            with tempfile.TemporaryDirectory() as folder:
                table = Path(folder) / "table.cube"
                table.write_text(_cube_text(frame.color_trc, frame.color_primaries), encoding="ascii")
                to_rgb = ("scale", scale), ("format", {"pix_fmts": "gbrp10le"})
                self._graph = build_graph(frame, *to_rgb, ("lut3d", {"file": str(table)}))
            self._layout = frame_layout(frame)
        self._graph.push(frame)
        return self._graph.vpull()


@lru_cache(maxsize=4)
def _cube_text(transfer: int, primaries: int) -> str:
    """Return the table as a file in the format "cube"."""
    entries = lookup_table(transfer, primaries).reshape(-1, 3).tolist()
    return "\n".join(
        [f"LUT_3D_SIZE {LUT_SIZE}", *(f"{red:.5f} {green:.5f} {blue:.5f}" for red, green, blue in entries)]
    )


def lookup_table(transfer: int, primaries: int) -> Floats:
    """Return the table (B, G, R, 3) from coded RGB, 0..1, to RGB of BT.709; the red of the input varies fastest.

    Args:
        transfer: FFmpeg's code of the transfer curve; PQ and HLG are HDR.
        primaries: FFmpeg's code of the primaries.
    """
    axis = np.linspace(0, 1, LUT_SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    coded = np.stack([red, green, blue], axis=-1)
    if transfer == ColorTrc.SMPTE2084:
        light = pq_to_nits(coded) / WHITE_NITS
    elif transfer == ColorTrc.ARIB_STD_B67:
        light = hlg_to_nits(coded) / WHITE_NITS
    else:
        light = coded**GAMMA
    if primaries in TO_BT709:
        light = np.maximum(light @ np.array(TO_BT709[ColorPrimaries(primaries)]).T, 0)
    if transfer in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
        light = light * (compress(brightest) / brightest)
    return np.asarray(np.clip(light, 0, 1) ** (1 / GAMMA), np.float64)


def pq_to_nits(coded: Floats) -> Floats:
    """Return the luminance of PQ values, 0..1. Source: SMPTE ST 2084."""
    power = coded ** (32 / 2523)
    return np.asarray(10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (16384 / 2610))


def hlg_to_nits(coded: Floats) -> Floats:
    """Return the luminance of HLG values (..., 3), 0..1, on a screen of PEAK_NITS. Source: ITU-R BT.2100, table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = np.maximum(scene @ LUMA, 1e-9)[..., None]
    return np.asarray(PEAK_NITS * luminance**0.2 * scene)


def compress(light: Floats) -> Floats:
    """Map light, 1 at the reference white, to 0..1: unchanged up to KNEE, then ever less, 1 at PEAK_NITS."""
    excess, peak = (np.maximum(light - KNEE, 0) / (1 - KNEE), (PEAK_NITS / WHITE_NITS - KNEE) / (1 - KNEE))
    curve = excess * (1 + excess / peak**2) / (1 + excess)  # Source: Reinhard et al. 2002, equation 4
    return np.minimum(light, KNEE) + (1 - KNEE) * np.minimum(curve, 1)
