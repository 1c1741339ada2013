"""YAML file that describes a custom dataset; all its fields are checked before any other file is read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.core.words import expect_word, suggestion
from actparse.data.annotation.scan import shown as shown_json

KINDS = ("cvat", "coco", "kinetics-tps")
SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 1 << 20  # of the file
UNSAFE = ("/", "\\", "\0", "\n", "\r")  # an action is used as a folder's name, a state as a line of a list


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Choice of the held-out videos: by name, or a share of each action's videos."""

    val: tuple[str, ...] = ()  # names of videos, without the suffix
    test: tuple[str, ...] = ()
    val_share: float = 0.2  # of each action's videos that are not named here; used if `val` is empty
    seed: int = 0  # each seed chooses other videos

    def __post_init__(self) -> None:
        if not 0 <= self.val_share < 1:
            raise ConfigError(f"split.val_share must be 0..1 and less than 1, got {self.val_share}")
        duplicates = sorted(set(self.val) & set(self.test))
        if duplicates:
            raise ConfigError(f"split: a video is in val or in test, got {duplicates[0]!r} in both")

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> SplitConfig:
        """Convert the values of the YAML file."""
        values: dict[str, Any] = {name: _texts(raw[name], f"split.{name}") for name in ("val", "test") if name in raw}
        if "val_share" in raw:
            values["val_share"] = _number(raw["val_share"], "split.val_share", float)
        if "seed" in raw:
            values["seed"] = _number(raw["seed"], "split.seed", int)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class OwnConfig:
    """Settings of a custom dataset; relative paths of the YAML file have been resolved against its folder."""

    path: Path  # of the YAML file
    kind: str  # one of KINDS
    videos: Path  # a folder of videos, or with a folder for each action; for kind kinetics-tps the dataset's root
    actions: tuple[str, ...]
    states: dict[str, tuple[str, ...]]  # by part group; a missing group has no states
    labels: tuple[Path, ...] = ()  # label files
    state_rows: tuple[Path, ...] = ()  # for kind coco: CSV files of states
    action_of: Path | None = None  # a CSV file of videos and their actions; None uses label files and folders
    ignore_labels: tuple[str, ...] = ()  # labels that are ignored, for example of a barbell
    first_frame: int = 0  # for kind coco: the number of a video's first frame in image names
    split: SplitConfig = field(default_factory=SplitConfig)

    def __post_init__(self) -> None:
        expect_word(self.kind, KINDS, "kind", error=ConfigError)
        for group in self.states:
            expect_word(group, GROUPS, "states: a part group", error=ConfigError)
        if not self.actions:
            raise ConfigError("actions: needs at least one, got none")
        for name, words in (("actions", self.actions), *((f"states.{g}", s) for g, s in self.states.items())):
            for word in words:
                if any(sign in word for sign in UNSAFE) or word.strip() != word or word.startswith("."):
                    needs = "a word has no slash, line end, space around it or dot in front"
                    raise ConfigError(f"{name}: {needs}, got {word!r}")
                if words.count(word) > 1:
                    raise ConfigError(f"{name}: each word once, got {word!r} twice")
        if self.kind == "kinetics-tps":
            self._expect_absent("labels", "state_rows")
        elif not self.labels:
            raise ConfigError(f"labels: kind {self.kind} needs at least one file, got none")
        if self.kind == "cvat":
            self._expect_absent("state_rows")

    def _expect_absent(self, *names: str) -> None:
        for name in names:
            if getattr(self, name):
                raise ConfigError(f"{name}: kind {self.kind} has no such files, got {len(getattr(self, name))}")

    def all_states(self) -> tuple[str, ...]:
        """Return the states of all groups, each once, in the file's order."""
        return tuple(dict.fromkeys(state for group in GROUPS for state in self.states.get(group, ())))


def is_description(path: Path) -> bool:
    """Tell whether a path is that of a YAML file, and not of a dataset's folder."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def read_config(path: Path, *, with_files: bool = True) -> OwnConfig:
    """Read the YAML file.

    Args:
        path: of the file.
        with_files: whether the label files must exist; if False, only the words may be used.

    Raises:
        ConfigError: it is missing, not YAML, has an unknown key, or a field is invalid.
    """
    content = _read_yaml(path)
    folder = path.resolve().parent
    try:
        raw = _table(content, "", OwnConfig, excluded=("path",))
        for name in ("kind", "videos", "actions", "states"):
            if name not in raw:
                raise ConfigError(f"{name}: must be given, got no such key")
        values: dict[str, Any] = {"path": path, "kind": _text(raw["kind"], "kind")}
        values["videos"] = folder / _text(raw["videos"], "videos")
        values["actions"] = _texts(raw["actions"], "actions")
        states = raw["states"]
        if not isinstance(states, dict):
            raise ConfigError(f"states: must be a list for each part group, got {shown(states)}")
        values["states"] = {_text(g, "states"): _texts(words, f"states.{shown(g)}") for g, words in states.items()}
        for name in ("labels", "state_rows"):
            patterns = _texts(raw.get(name, []), name)
            values[name] = _files(folder, patterns, name) if with_files else tuple(map(Path, patterns))
        if raw.get("action_of") is not None:
            values["action_of"] = folder / _text(raw["action_of"], "action_of")
        values["ignore_labels"] = _texts(raw.get("ignore_labels", []), "ignore_labels")
        values["first_frame"] = _number(raw.get("first_frame", 0), "first_frame", int)
        values["split"] = SplitConfig.from_dict(_table(raw.get("split", {}), "split", SplitConfig))
        return OwnConfig(**values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read_yaml(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{path}: needs a YAML file of at most {MAX_BYTES >> 20} MB, got a larger one")
        return yaml.safe_load(content)
    except OSError as error:
        raise ConfigError(f"{path}: needs a YAML file, got: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: needs a YAML file, got: {' '.join(str(error).split())[:200]}") from None


def shown(value: Any) -> str:
    """Describe an invalid value in a few words; YAML has dates, too."""
    try:
        return shown_json(value)
    except TypeError:
        return type(value).__name__


def _table(raw: Any, name: str, kind: type, *, excluded: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Check that the keys of a table are fields of a config, and return the table."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{name or 'the file'}: must be a table of keys and values, got {shown(raw)}")
    names = [entry.name for entry in fields(kind) if entry.name not in excluded]
    for key in raw:
        if key not in names:
            where = f"{name}: " if name else ""
            hint = suggestion(key, names) if isinstance(key, str) else ""
            raise ConfigError(f"{where}unknown key {shown(key)}, must be one of {', '.join(names)}{hint}")
    return raw


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name}: must be text, in quotes where YAML takes it for something else, got {shown(value)}")
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{name}: must be a list, got {shown(value)}")
    return tuple(_text(item, name) for item in value)


def _number(value: Any, name: str, kind: type[int] | type[float]) -> int | float:
    allowed = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise ConfigError(f"{name}: must be a {'whole ' if kind is int else ''}number, got {shown(value)}")
    return value


def _files(folder: Path, patterns: tuple[str, ...], name: str) -> tuple[Path, ...]:
    """Return the files of paths or patterns like labels/*.xml, sorted within a pattern, each once."""
    files: dict[Path, None] = {}
    for pattern in patterns:
        path = folder / pattern
        matches = [path] if path.is_file() else []
        with suppress(ValueError, NotImplementedError):  # not a pattern
            base = Path(path.anchor) if Path(pattern).anchor else folder
            matches = matches or sorted(match for match in base.glob(str(path.relative_to(base))) if match.is_file())
        if not matches:
            raise ConfigError(f"{name}: needs a file, got none at {path}")
        files.update(dict.fromkeys(matches))
    return tuple(files)
