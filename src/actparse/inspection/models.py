"""The bundles of weights on this machine: networks, actions, states, training data and metrics of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actparse.core.text_tables import format_table
from actparse.core.vocabulary import PARTS
from actparse.stages.loading import bundle_folder, bundle_name, bundled_names
from actparse.weights.bundle import load_network

CARD_FILE = "README.md"  # beside the networks: a table of facts and a list of metrics
FACT = re.compile(r"^\|\s*([a-z][a-z ]*?)\s*\|\s*(.+?)\s*\|$", re.MULTILINE)
FIGURE = re.compile(r"^(\S+(?: \S+)*) {2,}(\d+\.\d+)$", re.MULTILINE)  # a line of `actparse diagnose` with one value
SCORE = re.compile(r"^everything predicted +(\d\.\d+)", re.MULTILINE)


@dataclass(frozen=True)
class NetworkFacts:
    """The facts of one network of a bundle."""

    kind: str  # "persons", "poses", ...
    num_parameters: int
    num_bytes: int  # size of its file
    sha256: str
    metrics: dict[str, Any]  # measured in its training, on held-out data


@dataclass(frozen=True)
class Model:
    """The facts of a bundle of networks."""

    name: str
    folder: Path
    networks: tuple[NetworkFacts, ...]
    actions: tuple[str, ...]
    states: dict[str, tuple[str, ...]]  # part -> possible states, individual for each person; empty without tracks
    objects: tuple[str, ...]  # classes of the object detector; empty without it
    facts: dict[str, str]  # from the model card: "data", "training", ...; empty without a card
    figures: dict[str, float]  # metrics from the model card, as `actparse diagnose` prints them

    @property
    def num_parameters(self) -> int:
        """The number of parameters of all networks."""
        return sum(network.num_parameters for network in self.networks)

    @property
    def num_bytes(self) -> int:
        """The size of all network files."""
        return sum(network.num_bytes for network in self.networks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        totals = {"num_parameters": self.num_parameters, "num_bytes": self.num_bytes}
        return {**asdict(self), "folder": str(self.folder), **totals}

    def to_text(self) -> str:
        """Return a readable summary."""
        lines = [
            f"{self.name}: {len(self.networks)} networks, {self.num_parameters / 1e6:.1f} M parameters, "
            f"{self.num_bytes / 1e6:.1f} MB, {self.folder}",
            f"  actions ({len(self.actions)}): {', '.join(self.actions)}",
        ]
        states = sorted({state for states in self.states.values() for state in states})
        lines += [f"  states ({len(states)}): {', '.join(states)}"] if states else []
        lines += [f"  objects ({len(self.objects)}): {', '.join(self.objects)}"] if self.objects else []
        lines += [f"  trained on: {self.facts['data']}"] if "data" in self.facts else []
        lines += (
            [format_table([(f"  {name}", metric) for name, metric in self.figures.items()])] if self.figures else []
        )
        return "\n".join(lines)


def find_models(folders: Sequence[Path] = ()) -> list[Model]:
    """Describe the bundles that the package ships, and those of `folders`.

    Raises:
        WeightsError: a folder is not a bundle, or a file in it is damaged.
    """
    bundles: list[str | Path] = [*bundled_names(), *folders]
    return [describe(weights) for weights in bundles]


def describe(weights: str | Path) -> Model:
    """Describe a bundle, given by a bundled name or by its folder.

    Raises:
        WeightsError: it is neither, or a file in it is damaged.
    """
    folder = bundle_folder(weights)
    files = {path: load_network(path) for path in sorted(folder.glob("*.safetensors"))}
    labels = {file.kind: file.labels for file in files.values()}
    of_tracks = labels.get("tracks")
    actions = (label[0] for label in labels.get("action", {}).get("labels", ()))
    states_of_parts = (of_tracks or {}).get("states", [])
    card = folder / CARD_FILE
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    scores = [("ROC score", score) for score in SCORE.findall(text)]
    return Model(
        name=bundle_name(folder),
        folder=folder,
        networks=tuple(
            NetworkFacts(
                kind=file.kind,
                num_parameters=sum(parameter.numel() for parameter in file.net.parameters()),
                num_bytes=path.stat().st_size,
                sha256=file.sha256,
                metrics=file.metrics,
            )
            for path, file in files.items()
        ),
        actions=tuple(actions if of_tracks is None else of_tracks.get("actions", ())),
        states={part: tuple(states) for part, states in zip(PARTS, states_of_parts, strict=False)},
        objects=tuple(labels.get("objects", {}).get("objects", ())),
        facts=dict(FACT.findall(text)),
        figures={name: float(metric) for name, metric in [*FIGURE.findall(text), *scores]},
    )
