"""Shards of rendered samples: folders of arrays, each from seeds of its own, so that making them can be resumed."""

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

Seed = tuple[int, int, int]  # of a shard: code of the split, seed of the stream, number of the shard
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
    """The first shards of a stream; those that are not there yet are made.

    Args:
        stream: the folder of the shards.
        count: how many are needed.
        write: makes one shard from its folder, its seed and `config`; a module's function.
        config: travels to `write`.
        code: of the split, the first number of every seed.
        seed: of the stream.
        processes: None is one for each core.
        report: gets a line for every shard made.
        unit: what a shard holds, a number and a word for the report.
    """
    shards = tuple(stream / f"{number:05d}" for number in range(count))
    missing = [number for number, shard in enumerate(shards) if not shard.is_dir()]
    jobs = [(shards[number], (code, seed, number), config) for number in missing]
    size, name = unit
    for done, _ in enumerate(in_order(write, jobs, processes=processes), start=count - len(missing) + 1):
        report(f"rendered {done * size}/{count * size} {name}")
    return shards


@contextmanager
def reading_shard(shard: Path, what: str) -> Iterator[None]:
    """Errors of reading a shard of `what` as one that names it.

    Raises:
        DataError: the shard is damaged.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, TokenError) as error:
        raise DataError(f"{shard}: needs a shard of {what}, got a damaged one ({error}): remove it") from None


def save_shard(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a shard beside its place, then move it there: a file NAME.npy for each array."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(beside / f"{name}.npy", array)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
