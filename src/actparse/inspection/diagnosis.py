"""Measurement of every stage on an annotated dataset, and of the score with each stage replaced by the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actparse.core.errors import ConfigError, DataError
from actparse.core.files import without_nan
from actparse.core.structures import VideoParse
from actparse.core.text_tables import format_table
from actparse.core.vocabulary import GROUPS, PARTS
from actparse.data.evaluation import read_truth_files
from actparse.data.kinetics_tps import KineticsTps
from actparse.data.prior import prior_states
from actparse.data.submission import EVALUATED_STRIDE, TpsFiles
from actparse.inspection.diagnosis_video import Variant, VideoFindings, examine_video
from actparse.metrics import tps_score
from actparse.metrics.actions import Hits
from actparse.metrics.coco import AREA_SHARE, average_precision, keypoint_average_precision
from actparse.metrics.identity import identity_switches
from actparse.metrics.keypoints import distinct_pairs, oks, pck, swap_rate
from actparse.metrics.states import StateAccuracy, shared_states
from actparse.parser import Parser
from actparse.stages.loading import load_parts_without_dots
from actparse.stages.together.reasons import group_weights
from actparse.synth.causes import PERFORMER, rank_causes, usual_causes
from actparse.synth.dataset import is_synthetic

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Diagnosis:
    """The metrics of every stage and variant.

    Values are percent, except ROC scores (0..1), OKS (0..1) and switches (per 100 tracks); NaN if the data lack the
    truth for it.
    """

    num_videos: int
    num_persons: int
    prior_from: str  # where the most common states were counted, in words
    stages: dict[str, float]
    parts_by_class: dict[str, dict[str, float]]  # AP50 of each part, by the source of the dots
    states: dict[str, dict[str, float]]  # accuracy by group: predicted, the prior, the ceiling of shared labels
    scores: dict[str, dict[str, float]]  # variant -> ROC score, video accuracy, mean correctness
    causes: dict[str, dict[str, float]]  # how often the planted cause is first, or of the first two; only SynthTPS

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a missing metric is null."""
        return {key: without_nan(value) for key, value in asdict(self).items()}

    def to_text(self) -> str:
        """Format tables for a terminal."""
        stages = [(name, f"{value:.2f}") for name, value in self.stages.items()]
        states: list[Sequence[str]] = [("state accuracy, %", *GROUPS)]
        states += [(name, *(f"{metrics[group]:.1f}" for group in GROUPS)) for name, metrics in self.states.items()]
        scores = [("score", "ROC", "video %", "mean PSC")]
        for name, m in self.scores.items():
            row = (name, f"{m['roc_score']:.4f}", f"{100 * m['video_accuracy']:.1f}", f"{m['mean_correctness']:.4f}")
            scores.append(row)
        blocks = [
            f"{self.num_videos} videos, {self.num_persons} persons in evaluated frames",
            format_table(stages),
            f"{format_table(states)}\n  (the commonest states were counted in {self.prior_from})",
            format_table(scores),
        ]
        if self.causes:
            causes = [("planted cause of videos with the right action, %", "videos", "first", "of two")]
            for name, m in self.causes.items():
                causes.append((name, f"{m['videos']:.0f}", f"{m['first']:.1f}", f"{m['first_two']:.1f}"))
            blocks.append(format_table(causes))
        return "\n\n".join(blocks)


def diagnose(
    parser: Parser,
    root: Path,
    *,
    split: str = "test",
    truth: Path | None = None,
    weights: str | Path = "tiny",
    limit: int | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Parse a split and measure every stage.

    Args:
        parser: the parser to measure.
        root: a dataset in Kinetics-TPS's folders.
        split: one of its splits.
        truth: folder with gt_*.json of the split, instead of the dataset's annotation of each frame.
        weights: the parser's bundle, which may contain a part detector without dots.
        limit: only the first videos, at most this many.
        progress: called with the number of finished videos and that of all videos.

    Raises:
        ConfigError: the parser skips frames that are evaluated.
        DataError: the dataset does not exist, the split contains no video, or a file of `truth` is invalid.
    """
    if EVALUATED_STRIDE % parser.config.stride:
        raise ConfigError(f"diagnose: stride must divide {EVALUATED_STRIDE}, got {parser.config.stride}")
    dataset = KineticsTps(root)
    records = dataset.videos(split)
    truths = {} if truth is None else read_truth_files(truth, records)
    records = tuple(record for record in records if truth is None or record.name in truths)[:limit]
    if not records:
        raise DataError(f"{root}: the split {split} must hold at least one video, got none")
    without_dots = load_parts_without_dots(weights, device=str(parser.people.parts.device))
    findings = []
    for num_done, record in enumerate(records, start=1):
        findings.append(examine_video(parser, record, without_dots, truths.get(record.name)))
        if progress:
            progress(num_done, len(records))
    if "train" not in dataset.splits and parser.bundle.shares is not None:
        prior, prior_from = parser.bundle.shares.commonest(), "the training data of the weights"
    else:
        prior_split = "train" if "train" in dataset.splits else split
        prior, prior_from = prior_states(dataset.videos(prior_split)), f"the split {prior_split}"
    return Diagnosis(
        num_videos=len(findings),
        num_persons=sum(len(frame.persons) for video in findings for frame in video.truth),
        prior_from=prior_from,
        stages=_stage_metrics(findings),
        parts_by_class={source: _parts(findings, source).ap50_by_class for source in _dot_sources(findings)},
        states=_state_metrics(findings, prior),
        scores=_score_metrics(findings, prior),
        causes=_cause_metrics(findings) if truth is None and is_synthetic(root) else {},
    )


def _dot_sources(findings: Sequence[VideoFindings]) -> list[str]:
    return [source for source in ("dots", "no dots", "true dots") if all(source in video.parts for video in findings)]


def _parts(findings: Sequence[VideoFindings], source: str) -> Any:
    truth = [frame for video in findings for frame in video.true_parts]
    return average_precision(truth, [frame for video in findings for frame in video.parts[source]], PARTS)


def _stage_metrics(findings: Sequence[VideoFindings]) -> dict[str, float]:
    persons = average_precision(
        [frame for video in findings for frame in video.true_persons],
        [frame for video in findings for frame in video.persons],
        ("person",),
    )
    metrics = {"persons AP50": persons.ap50, "persons AP": persons.ap, **_pose_metrics(findings)}
    names = {"dots": "parts AP50, dots", "no dots": "parts AP50, no dots", "true dots": "parts AP50, dots of the truth"}
    for source in _dot_sources(findings):
        metrics[f"{names[source]} (true person boxes)"] = _parts(findings, source).ap50
    counts = [identity_switches(video.tracked) for video in findings]
    tracks = sum(count.tracks for count in counts)
    metrics["identity switches per 100 tracks"] = 100 * sum(count.switches for count in counts) / max(tracks, 1)
    metrics["video accuracy"] = _accuracy([video.parse for video in findings], findings)
    pcf_parses = [video.pcf_parse for video in findings if video.pcf_parse is not None]
    if pcf_parses:
        metrics["video accuracy, clips alone (PCF)"] = _accuracy(pcf_parses, findings)
    return metrics


def _accuracy(parses: Sequence[VideoParse], findings: Sequence[VideoFindings]) -> float:
    pairs = zip(parses, findings, strict=True)
    return 100 * float(np.mean([parse.action == video.record.action for parse, video in pairs]))


def _pose_metrics(findings: Sequence[VideoFindings]) -> dict[str, float]:
    poses = [frame for video in findings for frame in video.true_poses]
    if not any((keypoints[..., 2] > 0).any() for keypoints, _ in poses):
        return {}
    end_to_end = keypoint_average_precision(poses, [frame for video in findings for frame in video.poses])
    true = np.concatenate([keypoints for keypoints, _ in poses])  # (N, 17, 3)
    boxes = np.concatenate([box for _, box in poses])  # (N, 4)
    predicted = np.concatenate([keypoints for video in findings for keypoints in video.poses_on_truth])
    sides = boxes[:, 2:] - boxes[:, :2]
    return {
        "keypoints OKS AP": end_to_end.ap,
        "keypoints OKS AP50": end_to_end.ap50,
        "keypoints mean OKS (true person boxes)": float(
            np.nanmean(oks(predicted, true, AREA_SHARE * sides.prod(axis=1)))
        ),
        "keypoints PCK .05 (true person boxes)": 100 * pck(predicted, true, sides.max(axis=1)),
        "left/right swap rate (true person boxes)": 100 * swap_rate(predicted, distinct_pairs(true, sides.max(axis=1))),
    }


def _state_metrics(
    findings: Sequence[VideoFindings], prior: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, float]]:
    predicted, pcf = "predicted, each person", "predicted, shared by all (PCF)"
    commonest, best = "commonest of the predicted action", "best label shared by all"
    reads_clips = all(video.pcf_parse is not None for video in findings)
    accuracies = {name: StateAccuracy() for name in (predicted, pcf, commonest, best) if name != pcf or reads_clips}
    for video in findings:
        for row in video.predicted_states(Variant.PREDICTED):
            accuracies[predicted].add(*row)
        for row in video.predicted_states(Variant.SEGMENT_STATES) if reads_clips else ():
            accuracies[pcf].add(*row)
        shared = shared_states(video.state_rows())
        prior_of_action = prior.get(video.parse.action, {})
        for segment, part, state in video.state_rows():
            accuracies[commonest].add(part, state, prior_of_action.get(part))
            accuracies[best].add(part, state, shared[segment][part])
    return {name: accuracy.by_group() for name, accuracy in accuracies.items()}


def _score_metrics(
    findings: Sequence[VideoFindings], prior: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, float]]:
    truth = TpsFiles(
        {video.record.name: video.record.action for video in findings},
        {video.record.name: video.true_frames() for video in findings},
    )
    sources = _dot_sources(findings)
    can_run = {
        Variant.NO_DOTS: "no dots" in sources,
        Variant.TRUE_DOTS: "true dots" in sources,
        Variant.SEGMENT_STATES: all(video.pcf_parse is not None for video in findings),
    }
    metrics = {}
    for variant in (variant for variant in Variant if can_run.get(variant, True)):
        actions = {video.record.name: video.action(variant) for video in findings}
        frames = {video.record.name: video.frames(variant, prior.get(video.parse.action, {})) for video in findings}
        score = tps_score(truth, TpsFiles(actions, frames))
        mean = float(np.mean(list(score.part_state_correctness.values())))
        values = {"roc_score": score.roc_score, "video_accuracy": score.video_accuracy, "mean_correctness": mean}
        metrics[variant.value] = values
    return metrics


def _cause_metrics(findings: Sequence[VideoFindings]) -> dict[str, dict[str, float]]:
    """Measure how often each ranking has the planted cause of the action first, and among the first two."""
    ours, pcf, usual = Hits(), Hits(), Hits()
    for video in findings:
        persons = [person for frame in video.truth for person in frame.persons if person.identity == PERFORMER]
        states = [{name: part.state for name, part in person.parts.items()} for person in persons]
        cause = rank_causes(video.record.action, states)[0]
        for hits, parse in ((ours, video.parse), (pcf, video.pcf_parse)):
            if parse is not None and parse.action == video.record.action and parse.reasons:
                weights = group_weights(parse.reasons)
                hits.add(cause, sorted(GROUPS, key=lambda group: -weights[group]))
        if video.parse.action == video.record.action:
            usual.add(cause, usual_causes(video.record.action))
    by_chance = {"videos": ours.figures()["videos"], "first": 100 / len(GROUPS), "first_two": 200 / len(GROUPS)}
    reads_clips = all(video.pcf_parse is not None for video in findings)
    return {
        "reasons of the parse": ours.figures(),
        **({"reasons of the group networks (PCF)": pcf.figures()} if reads_clips else {}),
        "usual cause of the action, video unseen": usual.figures(),
        "any order (chance)": by_chance,
    }
