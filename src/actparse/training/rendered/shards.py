"""Shards of rendered samples: folders of arrays with separate seeds, so that an interrupted stream can be completed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.pools import in_order
from actparse.training.options import Report, say_nothing

Seed = tuple[int, int, int]  # of a shard: code of the split, seed of the stream, index of the shard
Config = TypeVar("Config")


def complete_shards(
    stream: Path,
    count: int,
    write: Callable[[Path, Seed, Config], None],
    config: Config,
    *,
    code: int,
    seed: int,
    processes: int | None = None,
    report: Report = say_nothing,
    unit: tuple[int, str] = (1, "shards"),
) -> tuple[Path, ...]:
    """Return the first shards of a stream, writing those that are missing.

    Args:
        stream: the folder of the shards.
        count: number of shards.
        write: writes one shard, given its folder, its seed and `config`; a module's function.
        config: argument of `write`.
        code: of the split, the first element of every seed.
        seed: of the stream.
        processes: None means one for each core.
        report: receives a line for every new shard.
        unit: number and name of the samples in a shard, for the report.
    """
    shards = tuple(stream / f"{index:05d}" for index in range(count))
    missing = [index for index, shard in enumerate(shards) if not shard.is_dir()]
    jobs = [(shards[index], (code, seed, index), config) for index in missing]
    size, name = unit
    for done, _ in enumerate(in_order(write, jobs, processes=processes), start=count - len(missing) + 1):
        report(f"rendered {done * size}/{count * size} {name}")
    return shards


@contextmanager
def reading_shard(shard: Path, content: str) -> Iterator[None]:
    """Convert errors in the body to an error that names the shard and its `content`.

    Raises:
        DataError: the shard is damaged.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, TokenError) as error:
        raise DataError(f"{shard}: needs a shard of {content}, got a damaged one ({error}): remove it") from None


def save_shard(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a shard atomically: a folder with a file NAME.npy for each array."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(temporary / f"{name}.npy", array)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
