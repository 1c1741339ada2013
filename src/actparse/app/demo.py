"""A first look without data of one's own: a clip that nobody trained on is made, parsed offline, and scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actparse.app.outputs import OVERLAY_FILE, write_outputs
from actparse.core.structures import VideoParse
from actparse.data.submission import load_truth, parses_to_predictions
from actparse.metrics import TpsScore, tps_score
from actparse.parser import Parser
from actparse.report.mistakes import find_mistakes
from actparse.report.page import write_report
from actparse.synth.dataset import SplitPlan, plan_videos, write_dataset

DEMO_PLAN = SplitPlan("test", 1, 20_260_003)  # a seed of its own, far from the benchmark's


@dataclass(frozen=True)
class DemoResult:
    """The clip, its truth, and what the parser made of it."""

    video: Path
    name: str
    true_action: str
    parse: VideoParse
    overlay: Path
    report: Path  # the page, with what is wrong marked in it
    score: TpsScore


def run_demo(out: Path, *, weights: str | Path = "tiny", device: str | None = None) -> DemoResult:
    """Make the clip under `out`/clip, parse it into `out`/<its name>, and score it.

    Raises:
        OutputError: `out` cannot be written.
        WeightsError: `weights` names no bundle.
    """
    parser = Parser.load(weights, device=device)
    root = out / "clip"
    write_dataset(root, [DEMO_PLAN])
    plan = plan_videos(DEMO_PLAN)[0]
    video = root / f"{plan.split}_videos" / plan.action / f"{plan.name}.mp4"
    parse, folder = parser.parse(video), out / video.stem
    write_outputs(parse, video, folder, page=False)  # the page below says more
    truth = load_truth(root / f"{plan.split}_truth")
    score = tps_score(truth, parses_to_predictions({plan.name: parse}))
    report = write_report(parse, folder, source=video, mistakes=find_mistakes(parse, plan.name, truth))
    return DemoResult(video, plan.name, plan.action, parse, folder / OVERLAY_FILE, report, score)
