"""Table II at several numbers of annotated frames and of steps: AP50 of parts with and without the pose's dots.

python benchmarks/pose_grid.py --data DIR --out RUNS         # DIR is a SynthTPS dataset; finished trainings are reused
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from actparse.reproduce import ReproduceOptions, reproduce
from actparse.reproduce.evaluation import TRUE_DOTS
from actparse.training import TrainOptions

ROWS = ("parts, pose", "parts", TRUE_DOTS)


def main() -> None:
    """Train and measure each cell of the grid, and print a line for it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--frames", type=int, nargs="+", default=[400, 16_000], help="annotated, rendered frames")
    arguments.add_argument("--steps", type=int, nargs="+", default=[500, 2_500])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments.add_argument("--weights", default="tiny", help="bundle of the networks for persons and poses")
    arguments.add_argument("--limit", type=int, help="measure on the first videos only")
    arguments.add_argument("--json", type=Path)
    args = arguments.parse_args()
    cells = []
    print("frames   steps   with dots       without         gap    dots of the truth", flush=True)
    for frames in args.frames:
        for steps in args.steps:
            options = ReproduceOptions(
                seeds=tuple(args.seeds),
                stage_1=args.weights,
                limit=args.limit,
                training=TrainOptions(steps=steps, stream_frames=frames),
            )
            table = reproduce("table2", args.data, args.out / f"{frames}-frames-{steps}-steps", options)
            rows = {row.name: row for row in table.rows}
            values = {name: rows[name].values("ap50") for name in ROWS if name in rows}
            cells.append({"frames": frames, "steps": steps, "ap50": values})
            print(line(frames, steps, values), flush=True)
    if args.json:
        args.json.write_text(json.dumps(cells, indent=1) + "\n", encoding="utf-8")


def line(frames: int, steps: int, values: dict[str, list[float]]) -> str:
    """Return a cell as text: the mean over the seeds with the smallest and the largest value, in percent."""
    with_dots, without = values["parts, pose"], values["parts"]
    gap = sum(with_dots) / len(with_dots) - sum(without) / len(without)
    texts = [spread(values[name]) if name in values else "" for name in ROWS]
    return f"{frames:6d} {steps:7d}   {texts[0]:16s}{texts[1]:16s}{gap:5.1f}  {texts[2]}"


def spread(values: Sequence[float]) -> str:
    """Return 45.7 (45.2-46.1)."""
    return f"{sum(values) / len(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    main()
