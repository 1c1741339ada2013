"""Calibration of a bundle on parses of videos that show its actions, and of videos that show none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError, DataError
from actparse.core.files import without_nan
from actparse.core.structures import VideoParse
from actparse.core.text_tables import format_table
from actparse.data.parses import find_parses, load_parse
from actparse.metrics.calibration import (
    MAX_RIGHT_REJECTED,
    Calibration,
    FittedCalibration,
    fit_calibration,
    with_temperature,
)
from actparse.stages.loading import bundle_folder, bundle_name, bundled_names, write_calibration
from actparse.weights.bundle import config_from_dict


@dataclass(frozen=True)
class BundleCalibration:
    """The fitted calibration of a bundle, and the number of parses left out because no person was detected."""

    weights: str
    fitted: FittedCalibration
    num_nobody: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a share of no videos is None."""
        counts: dict[str, Any] = without_nan(asdict(self.fitted))
        return {"weights": self.weights, **counts, "num_nobody": self.num_nobody}

    def to_text(self) -> str:
        """Return a readable table."""
        fitted, calibration = self.fitted, self.fitted.calibration
        rows = [
            ("videos", "number", "called unknown, %"),
            ("right", fitted.num_right, f"{100 * fitted.right_rejected:.1f}"),
            ("wrong", fitted.num_wrong, f"{100 * fitted.wrong_rejected:.1f}"),
            ("unknown", fitted.num_unknown, f"{100 * fitted.unknown_rejected:.1f}"),
            ("nobody", self.num_nobody, "left out"),
        ]
        consistency = f"consistency {calibration.consistency:g}, " if calibration.consistency else ""
        threshold = f"min_probability {calibration.min_probability:.3f}"
        scale = f"temperature {calibration.temperature:.3f}, {consistency}{threshold}"
        loss = f"mean negative log probability {fitted.loss_before:.3f} before, {fitted.loss_after:.3f} after"
        return f"{format_table(rows)}\n{scale}\n{loss}"


def calibrate(
    weights: str | Path,
    known: Path,
    unknown: Path,
    *,
    truth: Mapping[str, str] | None = None,
    max_rejected: float = MAX_RIGHT_REJECTED,
) -> BundleCalibration:
    """Fit a bundle's temperature and threshold on folders of its parses.

    Args:
        weights: a bundled name or the path of a bundle's folder.
        known: a folder of parses of videos that show one of the bundle's actions.
        unknown: a folder of parses of videos that show none of them.
        truth: true action of each known video by its name; None takes it from the names, see `action_of_name`.
        max_rejected: share of the correctly classified videos that may be called unknown, 0..1.

    Raises:
        WeightsError: there is no such bundle.
        DataError: a folder contains no parse, a parse is damaged or of other weights, or a true action is missing.
    """
    name = bundle_name(bundle_folder(weights))
    known_parses, unknown_parses = _load(known, name), _load(unknown, name)
    known_with_persons = {path: parse for path, parse in known_parses.items() if parse.verdict != "nobody"}
    unknown_with_persons = [parse for parse in unknown_parses.values() if parse.verdict != "nobody"]
    parses = [*known_parses.values(), *unknown_parses.values()]
    actions = sorted(parses[0].action_scores)
    for parse in parses:
        if sorted(parse.action_scores) != actions:
            raise DataError(f"{parse.video.path}: needs scores of the same actions as the other parses, got others")
    labels = [_label(path, actions, truth) for path in known_with_persons]
    consistencies = {_calibration(parse).consistency for parse in parses}
    if len(consistencies) > 1:
        values = ", ".join(map(str, sorted(consistencies)))
        raise DataError(f"calibration: needs parses with one consistency, got {values}")
    known_scores, known_shares = _raw_scores(list(known_with_persons.values()), actions)
    unknown_scores, unknown_shares = _raw_scores(unknown_with_persons, actions)
    fitted = fit_calibration(
        known_scores,
        np.array(labels, np.int64),
        unknown_scores,
        max_rejected=max_rejected,
        consistency=consistencies.pop(),
        known_shares=known_shares,
        unknown_shares=unknown_shares,
    )
    return BundleCalibration(name, fitted, len(parses) - len(known_with_persons) - len(unknown_with_persons))


def store(weights: str | Path, calibration: BundleCalibration) -> Path:
    """Write a calibration into the bundle's folder.

    Returns:
        The folder.

    Raises:
        ConfigError: `weights` is the name of a bundle that the package ships.
        WeightsError: there is no such bundle.
        OutputError: the file cannot be written.
    """
    if str(weights) in bundled_names():
        raise ConfigError(f"--write: needs the path of a bundle's folder, got the shipped bundle {str(weights)!r}")
    folder = bundle_folder(weights)
    metrics = {key: value for key, value in calibration.to_dict().items() if key not in ("weights", "calibration")}
    write_calibration(folder, calibration.fitted.calibration, metrics)
    return folder


def action_of_name(path: Path, actions: Sequence[str]) -> str | None:
    """Return the action in the name of a parse's folder, or of the parent folder.

    Args:
        path: path of a parse.json.
        actions: the possible actions.

    Returns:
        The longest action that the folder's name begins with ("push_up_3"), otherwise the name of the parent folder
        ("push_up/v123"); None if neither is an action.
    """
    name = path.parent.name
    matches = [action for action in actions if name == action or name.startswith(f"{action}_")]
    if matches:
        return max(matches, key=len)
    parent = path.parent.parent.name
    return parent if parent in actions else None


def _load(folder: Path, weights: str) -> dict[Path, VideoParse]:
    """Load the parses below a folder, by path; all have to be of these weights."""
    parses = {path: load_parse(path) for path in find_parses(folder).values()}
    if not parses:
        raise DataError(f"{folder}: needs folders with parse.json, got none")
    for path, parse in parses.items():
        if parse.model.get("weights") != weights:
            raise DataError(f"{path}: needs a parse with the weights {weights!r}, got {parse.model.get('weights')!r}")
    return parses


def _label(path: Path, actions: Sequence[str], truth: Mapping[str, str] | None) -> int:
    action = action_of_name(path, actions) if truth is None else truth.get(path.parent.name)
    if action not in actions:
        needs = (
            "needs its true action in the name of its folder or of the one above" if truth is None else "needs a truth"
        )
        raise DataError(f"{path}: {needs}, one of {', '.join(actions)}; got {action or path.parent.name!r}")
    return actions.index(action)


def _raw_scores(
    parses: Sequence[VideoParse], actions: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reverse the effect of each parse's calibration.

    Returns:
        Probabilities (N, A) that sum to 1, and (N,) the share of the score that the weaker half of the video reaches.
    """
    scores, shares = np.zeros((len(parses), len(actions))), np.ones(len(parses))
    for index, parse in enumerate(parses):
        calibration = _calibration(parse)
        calibrated = np.array([parse.action_scores[action] for action in actions])
        scores[index] = with_temperature(calibrated, 1 / calibration.temperature)
        if calibration.consistency > 0:
            shares[index] = calibrated.sum() ** (1 / calibration.consistency)
    return scores, shares


def _calibration(parse: VideoParse) -> Calibration:
    text = parse.model.get("calibration", "{}")
    try:
        return config_from_dict(Calibration, json.loads(text))
    except (ValueError, TypeError, AttributeError):
        raise DataError(f"{parse.video.path}: model.calibration must be a calibration as JSON, got {text!r}") from None
