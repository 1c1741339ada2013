"""Options of long trainings, which "train" and "reproduce" share."""

from __future__ import annotations

import argparse
import os
from typing import Any

TINY_CHECKPOINT_SECONDS = 90.0
PAPER_CHECKPOINT_SECONDS = 600.0  # a checkpoint is half a gigabyte
MAX_WORKERS = 8  # processes that make batches, where no number is asked for


def add_long_run_options(command: argparse.ArgumentParser) -> None:
    """Several devices, and what a run leaves on its way."""
    large = command.add_argument_group("several devices, long runs")
    large.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs that share a batch; or use torchrun")
    large.add_argument("--accumulate", type=int, default=1, metavar="N", help="pieces of a device's share of a batch")
    large.add_argument("--workers", type=int, metavar="N", help="processes that make batches; tiny: 0")
    large.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "bfloat16", "float16", "float32"],
        help="auto: bfloat16 where the processor computes in it, else float32",
    )
    large.add_argument("--check-every", type=int, metavar="N", help="steps to a held-out check; paper: an epoch")
    large.add_argument("--keep", default="last", choices=["last", "best"], help="which checkpoint becomes the network")


def long_run_options(args: argparse.Namespace) -> dict[str, Any]:
    """What these options, and the size, mean for TrainOptions."""
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
    """Processes for each device: the cores that the devices' own processes leave over."""
    return max(1, min(MAX_WORKERS, (os.cpu_count() or 1) // num_devices - 1))
