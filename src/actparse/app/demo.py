"""Demo without custom data: a synthetic clip, not used in training, is rendered, parsed offline, and scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actparse.app.outputs import OVERLAY_FILE, write_drawings, write_parse
from actparse.core.errors import OutputError
from actparse.core.structures import VideoParse
from actparse.data.submission import load_truth, parses_to_predictions
from actparse.metrics import TpsScore, tps_score
from actparse.parser import Parser
from actparse.report.mistakes import find_mistakes
from actparse.report.page import write_report
from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset

DEMO_PLAN = DatasetPlan((SplitPlan("test", 1, 20_260_029),))  # a separate seed, far from those of the benchmark


@dataclass(frozen=True)
class DemoResult:
    """The clip, its true action, its parse and the score of the parse."""

    video: Path
    name: str
    true_action: str
    parse: VideoParse
    overlay: Path
    report: Path  # the page, with the mistakes marked
    score: TpsScore


def run_demo(out: Path, *, weights: str | Path = "tiny", device: str | None = None) -> DemoResult:
    """Render the clip below `out`/clip, parse it into `out`/<its name>, and score the parse.

    Raises:
        OutputError: `out` cannot be written.
        WeightsError: `weights` is not a bundle.
    """
    parser = Parser.load(weights, device=device)
    root = out / "clip"
    write_dataset(root, DEMO_PLAN)
    (plan,) = DEMO_PLAN.videos()
    video = root / f"{plan.split}_videos" / plan.action / f"{plan.name}.mp4"
    parse, folder = parser.parse(video), out / video.stem
    write_parse(parse, video, folder)
    warnings = write_drawings(parse, video, folder, page=False)  # the page written below also marks mistakes
    if warnings:
        raise OutputError(warnings[0])
    truth = load_truth(root / f"{plan.split}_truth")
    score = tps_score(truth, parses_to_predictions({plan.name: parse}))
    report = write_report(parse, folder, source=video, mistakes=find_mistakes(parse, plan.name, truth))
    return DemoResult(video, plan.name, plan.action, parse, folder / OVERLAY_FILE, report, score)
