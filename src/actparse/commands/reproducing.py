"""The command "reproduce"."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from actparse.commands.datasets import open_root
from actparse.commands.options import Dataset, TruthFiles
from actparse.commands.training import DEFAULT_RUN, LENGTH, RunOptions, Size

DEFAULT_STAGE_1 = {"tiny": "tiny", "paper": "train"}  # a bundle, or TRAIN, by size
TRAIN = "train"


def reproduce(
    table: Literal["table1", "table2", "table3"],
    *,
    data: Dataset,
    size: Size = "tiny",
    out: Annotated[Path, Parameter(metavar="DIR")] = Path("runs/reproduce"),
    seeds: Annotated[tuple[int, ...], Parameter(consume_multiple=True, metavar="S...")] = (0,),
    share: Annotated[float | None, Parameter(group=LENGTH, metavar="F")] = None,
    run: RunOptions = DEFAULT_RUN,
    stage1: Annotated[str | None, Parameter(metavar="NAME_OR_PATH")] = None,
    init: Annotated[Path | None, Parameter(metavar="FOLDER")] = None,
    split: Annotated[str | None, Parameter(metavar="NAME")] = None,
    truth: TruthFiles = None,
    limit: Annotated[int | None, Parameter(alias="--videos", metavar="N")] = None,
) -> int:
    """Reproduce the paper's tables: train missing networks, parse, score, compare with the paper.

    Write OUT/TABLE.md, TABLE.json and TABLE.svg. Finished training runs are reused and interrupted runs resume. table1:
    methods; table2: boxes with and without the pose; table3: states of frames or segments.

    Args:
        table: a table of the paper
        out: folder for the table and its runs
        seeds: seeds of the training runs
        share: fraction of every recipe's usual steps, at size tiny
        stage1: bundle of the networks for persons, poses and parts that all methods share, or train to train them;
            default: the bundled networks at size tiny, train at size paper
        init: folder of imported weights to start from, see actparse weights import; at size tiny a bundle whose action
            network ip-CSN starts from, in place of a pre-training
        split: split for the measurements; default: test, val, or the held-out videos
        limit: measure only on the first N videos

    Examples:
      actparse reproduce table2 --data data --seeds 0 1 2 --steps 3000
    """
    from actparse.core.progress import counted
    from actparse.reproduce import ReproduceOptions
    from actparse.reproduce import reproduce as reproduce_table
    from actparse.stages.loading import bundle_folder, bundled_names
    from actparse.training import TrainOptions

    if init is not None and not init.exists() and str(init) in bundled_names():
        init = bundle_folder(init)
    stage_1 = stage1 or DEFAULT_STAGE_1[size]
    options = ReproduceOptions(
        size=size,
        seeds=seeds,
        stage_1=None if stage_1 == TRAIN else stage_1,
        share=share,
        split=split,
        limit=limit,
        truth=truth,
        training=TrainOptions(init=init, **run.for_size(size)),
        progress=partial(counted, "videos"),
    )
    print(reproduce_table(table, open_root(data), out, options).to_markdown())
    return 0
