"""Options of long training runs, shared by "train" and "reproduce"."""

from __future__ import annotations

import argparse
import os
from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {"threads": 1, "tensorboard": False, "checkpoint_seconds": 90.0},
    "paper": {"threads": None, "tensorboard": True, "checkpoint_seconds": 600.0},  # a checkpoint has half a gigabyte
}
MAX_WORKERS = {"tiny": 0, "paper": 8}  # largest default number of processes that prepare batches


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
    free_cores = max(1, (os.cpu_count() or 1) // args.devices - 1)  # for each device, without its training process
    return {
        "num_devices": args.devices,
        "accumulate": args.accumulate,
        "workers": min(MAX_WORKERS[args.size], free_cores) if args.workers is None else args.workers,
        "precision": args.precision,
        "check_every": args.check_every,
        "keep": args.keep,
        **DEFAULTS[args.size],
    }
