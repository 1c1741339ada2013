"""Options of long training runs, shared by "train" and "reproduce"."""

from __future__ import annotations

import argparse
import os
from typing import Any

TINY_CHECKPOINT_SECONDS = 90.0
PAPER_CHECKPOINT_SECONDS = 600.0  # longer, because a checkpoint has half a gigabyte
MAX_WORKERS = 8  # largest default number of processes that prepare batches


def add_long_run_options(command: argparse.ArgumentParser) -> None:
    """Add the options for several devices, precision and checkpoints."""
    large = command.add_argument_group("several devices, long runs")
    large.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs that share a batch; or use torchrun")
    large.add_argument(
        "--accumulate", type=int, default=1, metavar="N", help="parts into which a device splits its share of a batch"
    )
    large.add_argument("--workers", type=int, metavar="N", help="processes that prepare batches; tiny: 0")
    large.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "bfloat16", "float16", "float32"],
        help="auto: bfloat16 if the device supports it, else float32",
    )
    large.add_argument(
        "--check-every", type=int, metavar="N", help="steps between two checks on held-out data; paper: one epoch"
    )
    large.add_argument(
        "--keep", default="last", choices=["last", "best"], help="checkpoint that is saved as the network"
    )


def long_run_options(args: argparse.Namespace) -> dict[str, Any]:
    """Convert these options, and the size, to arguments of TrainOptions."""
    is_paper = args.size == "paper"
    return {
        "threads": None if is_paper else 1,
        "num_devices": args.devices,
        "accumulate": args.accumulate,
        "workers": _workers(args.devices) if args.workers is None and is_paper else args.workers or 0,
        "precision": args.precision,
        "check_every": args.check_every,
        "keep": args.keep,
        "tensorboard": is_paper,
        "checkpoint_seconds": PAPER_CHECKPOINT_SECONDS if is_paper else TINY_CHECKPOINT_SECONDS,
    }


def _workers(num_devices: int) -> int:
    """Return the number of processes per device, from the cores that the training processes do not use."""
    return max(1, min(MAX_WORKERS, (os.cpu_count() or 1) // num_devices - 1))
