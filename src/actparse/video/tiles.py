"""Still pictures in tiles, as phones write them (HEIC, AVIF): FFmpeg decodes the tiles, this module joins them.

Source: ISO/IEC 23008-12 (HEIF), the items "grid", "irot" and "imir", and ISO/IEC 14496-12, the box "meta".
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from actparse.core.errors import VideoError
from actparse.video.pictures.upright import UprightImages

MAX_PIXELS = 1 << 28  # of a picture, more than any phone takes
MAX_META_BYTES = 1 << 24  # of the description of all pictures in a file
GRID_BYTES = 12  # of the description of a grid, at most
CHANGES = (b"irot", b"imir", b"clap")  # properties that change how a picture is shown


@dataclass(frozen=True)
class Grid:
    """How the tiles of a picture are joined: row by row, then cut to the size, then turned and mirrored."""

    tiles: tuple[int, ...]  # identifiers of the tiles' items, which are those of FFmpeg's streams
    columns: int
    size: tuple[int, int]  # (height, width)
    changes: tuple[tuple[bytes, int], ...] = ()  # in order: (b"irot", quarter turns), (b"imir", 0 or 1)

    def joined(self, tiles: dict[int, NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the picture before its changes, (H, W, 3), from the tiles (h, w, 3).

        Raises:
            ValueError: a tile is missing, or all of them are smaller than the picture.
        """
        if not set(self.tiles) <= tiles.keys():
            raise ValueError("a picture in tiles some of which are missing")
        (height, width), (tile_height, tile_width, _) = self.size, tiles[self.tiles[0]].shape
        num_rows = len(self.tiles) // self.columns
        if height > num_rows * tile_height or width > self.columns * tile_width:
            raise ValueError("a picture that is larger than its tiles")
        image = np.empty((height, width, 3), np.uint8)
        for number, item in enumerate(self.tiles):
            row, column = number // self.columns * tile_height, number % self.columns * tile_width
            place = image[row : row + tile_height, column : column + tile_width]
            place[:] = tiles[item][: place.shape[0], : place.shape[1]]
        return image

    def oriented(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the joined picture as it is shown, (H, W, 3)."""
        for kind, value in self.changes:
            image = np.rot90(image, value) if kind == b"irot" else np.flip(image, axis=value)
        return np.ascontiguousarray(image)


def join_tiles(path: Path, container: InputContainer) -> IO[bytes]:
    """Return a temporary video of one frame, the file's main picture, joined from the tiles in `container`.

    Raises:
        VideoError: the file has no main picture in tiles, or one that cannot be joined.
    """
    tiles: dict[int, NDArray[np.uint8]] = {}
    images = UprightImages()
    try:
        grid = read_grid(path)
        for packet in container.demux(*(stream for stream in container.streams.video if stream.id in grid.tiles)):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    tiles[packet.stream.id] = images.image(frame)
        image = grid.oriented(grid.joined(tiles))
    except (ValueError, OSError, av.FFmpegError) as error:  # OSError: of a place that a damaged file names
        text = str(getattr(error, "strerror", None) or error)
        raise VideoError(f"{path}: needs a video file, got: {text}; convert it to JPEG") from None
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the container that reads it keeps it open)
    with av.open(file, "w", format="nut") as video:
        stream = video.add_stream("rawvideo", rate=25)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "rgb24"
        video.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        video.mux(stream.encode(None))
    file.seek(0)
    return file


def read_grid(path: Path) -> Grid:
    """Read how the tiles of a file's main picture are joined.

    Raises:
        ValueError: the main picture is not in tiles, is cropped, is too large, or its description is damaged.
    """
    with path.open("rb") as file:
        try:
            boxes = dict(_boxes(_read_meta(file)))
            reader = _Reader(boxes[b"pitm"])
            main = reader.take(4 if reader.version else 2)
            kind, tiles = _kind_of(main, boxes[b"iinf"]), _tiles_of(main, boxes[b"iref"])
            changes = tuple(_changes_of(main, dict(_boxes(boxes[b"iprp"]))))
            data = _data_of(main, boxes, file)
            flags, rows, columns = data[1], data[2] + 1, data[3] + 1
            width, height = struct.unpack_from(">II" if flags & 1 else ">HH", data, 4)
        except (struct.error, IndexError, KeyError, OverflowError):
            raise ValueError("a picture in tiles with a damaged description") from None
    if kind != b"grid" or any(change == b"clap" for change, _ in changes):
        raise ValueError("a picture that is cropped or composed of others")
    if len(tiles) != rows * columns or not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"a picture of {width} x {height} pixels in {len(tiles)} tiles")
    return Grid(tiles, columns, (height, width), changes)


class _Reader:
    """Reads whole numbers of a box with a version, most significant byte first."""

    def __init__(self, box: bytes) -> None:
        self._box, self._start = box, 4
        self.version, self.flags = box[0], box[3]

    def take(self, size: int) -> int:
        """Return the next number of `size` bytes; one of no bytes is 0."""
        self._start += size
        if self._start > len(self._box):
            raise IndexError
        return int.from_bytes(self._box[self._start - size : self._start], "big")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the content of each box in `data`."""
    start = 0
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            (size,), header = struct.unpack_from(">Q", data, start + 8), 16
        end = start + size if size else len(data)
        if end < start + header:
            raise IndexError
        yield kind, data[start + header : end]
        start = end


def _read_meta(file: IO[bytes]) -> bytes:
    """Return the boxes in a file's box "meta"."""
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        header = 8
        if size == 1:
            (size,), header = struct.unpack(">Q", file.read(8)), 16
        if kind == b"meta":
            return file.read(min(size - header, MAX_META_BYTES) if size else MAX_META_BYTES)[4:]
        if size < header:
            break
        file.seek(size - header, 1)
    raise KeyError("meta")


def _kind_of(item: int, information: bytes) -> bytes:
    for _, box in _boxes(information[8 if information[0] else 6 :]):
        reader = _Reader(box)
        if reader.take(4 if reader.version == 3 else 2) == item:
            reader.take(2)  # protection
            return reader.take(4).to_bytes(4, "big")
    raise KeyError(item)


def _tiles_of(item: int, references: bytes) -> tuple[int, ...]:
    unit = "I" if references[0] else "H"
    start = struct.calcsize(f">{unit}H")
    for kind, box in _boxes(references[4:]):
        owner, count = struct.unpack_from(f">{unit}H", box)
        if kind == b"dimg" and owner == item:
            return struct.unpack_from(f">{count}{unit}", box, start)
    return ()


def _changes_of(item: int, boxes: dict[bytes, bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the value of each property of an item that changes how it is shown."""
    properties = list(_boxes(boxes[b"ipco"]))
    reader = _Reader(boxes[b"ipma"])
    for _ in range(reader.take(4)):
        owner = reader.take(4 if reader.version else 2)
        for _ in range(reader.take(1)):  # the first bit of an index is a flag
            index = reader.take(2) & 0x7FFF if reader.flags & 1 else reader.take(1) & 0x7F
            if owner == item and index and properties[index - 1][0] in CHANGES:
                kind, content = properties[index - 1]
                yield kind, content[0] & 3


def _data_of(item: int, boxes: dict[bytes, bytes], file: IO[bytes]) -> bytes:
    """Return the first bytes of an item's data, which are in the box "idat" or in the file."""
    reader = _Reader(boxes[b"iloc"])
    widths = reader.take(2)
    offset_size, length_size, base_size, index_size = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    index_size = index_size if reader.version else 0
    id_size = 4 if reader.version == 2 else 2
    for _ in range(reader.take(id_size)):
        owner = reader.take(id_size)
        is_inside = reader.version > 0 and reader.take(2) & 15 == 1
        reader.take(2)  # the file, which is this one
        base, num_extents = reader.take(base_size), reader.take(2)
        if owner == item:
            reader.take(index_size)
            start = base + reader.take(offset_size)
            if is_inside:
                return boxes[b"idat"][start : start + GRID_BYTES]
            file.seek(start)
            return file.read(GRID_BYTES)
        reader.take(num_extents * (index_size + offset_size + length_size))
    raise KeyError(item)
