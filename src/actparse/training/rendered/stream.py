"""Rendered samples in shards: folders of arrays with separate seeds, so that an interrupted stream can be completed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.files import folder_beside
from actparse.core.pools import in_order
from actparse.core.progress import Report, discard_line

SEED = 0  # of every stream, part of its folder's name
Arrays = dict[str, NDArray[Any]]  # of a shard, by file name
Config = TypeVar("Config")
Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True)
class ShardedStream(Generic[Config, Content]):
    """A stream of samples. `render` and `read` are functions of a module."""

    folder: Path  # of the shards; its name describes the config
    config: Config
    code: int  # first element of the shards' seeds; another one than those of datasets' splits and of other streams
    shard_size: int  # samples
    unit: str  # name of the samples, for messages
    render: Callable[[np.random.Generator, int, Config], Arrays]  # makes the shard with an index
    read: Callable[[Path, Config], Content]  # reads a shard's folder, or raises any error if it is damaged

    def open(self, num_samples: int, *, report: Report = discard_line) -> tuple[Content, ...]:
        """Read the first shards of the stream, rendering those that are missing.

        Args:
            num_samples: rounded up to full shards; 0 means none.
            report: receives a line for every new shard.

        Raises:
            DataError: a shard is damaged.
        """
        shards = [self.folder / f"{index:05d}" for index in range(-(-num_samples // self.shard_size))]
        missing = [(self, index, shard) for index, shard in enumerate(shards) if not shard.is_dir()]
        total = len(shards) * self.shard_size
        for done, _ in enumerate(in_order(render_shard, missing), len(shards) - len(missing) + 1):
            report(f"rendered {done * self.shard_size}/{total} {self.unit}")
        contents = []
        for shard in shards:
            try:
                contents.append(self.read(shard, self.config))
            except (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, TokenError) as error:
                fault = f"needs a shard of {self.unit}, got a damaged one ({error})"
                raise DataError(f"{shard}: {fault}: remove it") from None
        return tuple(contents)


def render_shard(stream: ShardedStream[Any, Any], index: int, shard: Path) -> None:
    """Render one shard, and write it completely or not at all: a folder with a file NAME.npy for each array."""
    cv2.setNumThreads(1)
    arrays = stream.render(np.random.default_rng((stream.code, SEED, index)), index, stream.config)
    with folder_beside(shard) as temporary:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array)


def load_array(shard: Path, name: str) -> NDArray[Any]:
    """Return an array of a shard as a memory map."""
    return open_memmap(shard / f"{name}.npy", mode="r")
