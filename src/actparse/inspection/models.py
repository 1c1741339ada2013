"""The bundles of weights on this machine: what is in each, what it can say, what it was trained on, what it reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actparse.core.vocabulary import PARTS
from actparse.stages.loading import bundle_folder, bundle_name, bundled_names
from actparse.weights.bundle import NetworkFile, load_network

CARD_FILE = "README.md"  # beside the networks: a table of facts and a listing of figures
FACT = re.compile(r"^\|\s*([a-z][a-z ]*?)\s*\|\s*(.+?)\s*\|$", re.MULTILINE)
FIGURE = re.compile(r"^(\S+(?: \S+)*) {2,}(\d+\.\d+)$", re.MULTILINE)  # a line of `actparse diagnose` with one number
SCORE = re.compile(r"^everything predicted +(\d\.\d+)", re.MULTILINE)


@dataclass(frozen=True)
class NetworkFacts:
    """One network of a bundle."""

    kind: str  # "persons", "poses", ...
    num_parameters: int
    num_bytes: int  # of its file
    sha256: str
    metrics: dict[str, Any]  # what its training measured on held-out data


@dataclass(frozen=True)
class Model:
    """A bundle of networks."""

    name: str
    folder: Path
    networks: tuple[NetworkFacts, ...]
    actions: tuple[str, ...]
    states: dict[str, tuple[str, ...]]  # part -> what it can be said to do, each person by itself; empty without tracks
    facts: dict[str, str]  # of the model card: "data", "training", ...; empty without a card
    figures: dict[str, float]  # of the model card, as `actparse diagnose` prints them

    @property
    def num_parameters(self) -> int:
        """Of all networks."""
        return sum(network.num_parameters for network in self.networks)

    @property
    def num_bytes(self) -> int:
        """Of all files of networks."""
        return sum(network.num_bytes for network in self.networks)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        totals = {"num_parameters": self.num_parameters, "num_bytes": self.num_bytes}
        return {**asdict(self), "folder": str(self.folder), **totals}

    def to_text(self) -> str:
        """For a person to read."""
        lines = [
            f"{self.name}: {len(self.networks)} networks, {self.num_parameters / 1e6:.1f} M parameters, "
            f"{self.num_bytes / 1e6:.1f} MB, {self.folder}",
            f"  actions ({len(self.actions)}): {', '.join(self.actions)}",
        ]
        states = sorted({state for states in self.states.values() for state in states})
        lines += [f"  states ({len(states)}): {', '.join(states)}"] if states else []
        lines += [f"  trained on: {self.facts['data']}"] if "data" in self.facts else []
        lines += [f"  {name}: {figure}" for name, figure in self.figures.items()]
        return "\n".join(lines)


def find_models(folders: Sequence[Path] = ()) -> list[Model]:
    """The bundles that the package ships, and those of `folders`.

    Raises:
        WeightsError: a folder is no bundle, or a file in it is damaged.
    """
    named: list[str | Path] = [*bundled_names(), *folders]
    return [describe(weights) for weights in named]


def describe(weights: str | Path) -> Model:
    """What there is to say of a bundled name or a bundle's folder.

    Raises:
        WeightsError: it is neither, or a file in it is damaged.
    """
    folder = bundle_folder(weights)
    files = {path: load_network(path) for path in sorted(folder.glob("*.safetensors"))}
    by_kind = {file.kind: file for file in files.values()}
    card = folder / CARD_FILE
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return Model(
        name=bundle_name(folder),
        folder=folder,
        networks=tuple(_facts(path, file) for path, file in files.items()),
        actions=_actions(by_kind),
        states=_states(by_kind),
        facts=dict(FACT.findall(text)),
        figures={name: float(figure) for name, figure in [*FIGURE.findall(text), *_score(text)]},
    )


def _facts(path: Path, file: NetworkFile) -> NetworkFacts:
    num_parameters = sum(parameter.numel() for parameter in file.net.parameters())
    return NetworkFacts(file.kind, num_parameters, path.stat().st_size, file.sha256, file.metrics)


def _actions(files: dict[str, NetworkFile]) -> tuple[str, ...]:
    if "tracks" in files:
        return tuple(files["tracks"].labels.get("actions", ()))
    return tuple(label[0] for label in files["action"].labels.get("labels", ())) if "action" in files else ()


def _states(files: dict[str, NetworkFile]) -> dict[str, tuple[str, ...]]:
    rows = files["tracks"].labels.get("states", []) if "tracks" in files else []
    return {part: tuple(states) for part, states in zip(PARTS, rows, strict=False)}


def _score(text: str) -> list[tuple[str, str]]:
    return [("ROC score", figure) for figure in SCORE.findall(text)]
