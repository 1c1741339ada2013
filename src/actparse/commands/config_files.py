"""Options of a command in a YAML file: a key is the name of an option, a value is the option's argument."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts import App, Argument, ArgumentCollection

from actparse.core.errors import ConfigError

MAX_BYTES = 1 << 20  # largest size of a file
NOTHING: tuple[object, ...] = ("null", "~", "", [])  # values that leave an option at its default
ONLY_FLAGS = ("config", "print-config", "quiet")


class FileOptions:
    """Gives a command the options of a file; cyclopts calls it between reading the flags and converting them."""

    def __init__(self, path: Path | None) -> None:
        """Read a file; None stands for no options.

        Raises:
            ConfigError: the file cannot be read, or is no YAML mapping from names to values.
        """
        self._path = path
        self._values = {} if path is None else _read_mapping(path)
        self._arguments: Sequence[Argument] = ()

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Add the values of the file to the command's arguments, except those that a flag sets or excludes."""
        self._arguments = arguments
        if not self._values:
            return
        from cyclopts.config import Dict

        exclusive = [group for group in arguments.groups if group.validator]
        decided = [group for group in exclusive if any(a.has_tokens for a in arguments.filter_by(group=group))]
        excluded = {name for group in decided for a in arguments.filter_by(group=group) for name in a.names}
        tree = {key: value for key, value in self._values.items() if f"--{key}" not in excluded}
        for command in reversed(commands):  # without the commands, cyclopts drops keys that are names of commands
            tree = {command: tree}
        Dict(tree, source=str(self._path))(app, commands, arguments)

    def effective(self) -> str:
        """Return every option of the parsed command and its value, as YAML for a file."""
        import yaml

        options = [argument for argument in self._arguments if argument.parse and not argument.children]
        values = {
            option.name.lstrip("-"): _to_yaml(option.value if option.has_tokens else option.field_info.default)
            for option in options
        }
        return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))


def _read_mapping(path: Path) -> dict[str, Any]:
    """Read keys and values as text or lists, so that YAML does not convert a time such as 2:8 to a number."""
    import yaml

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: needs a file of at most {MAX_BYTES} bytes, got {path.stat().st_size}")
        mapping = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: needs YAML, got: {' '.join(str(error).split())}") from None
    if not isinstance(mapping, dict) or not all(isinstance(key, str) for key in mapping):
        raise ConfigError(f"{path}: needs a line NAME: VALUE for each option, got something else")
    values = {key.replace("_", "-"): value for key, value in mapping.items() if value not in NOTHING}
    for key in values.keys() & set(ONLY_FLAGS):
        raise ConfigError(f"{path}: {key} cannot be in a file")
    return values


def _to_yaml(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_to_yaml(item) for item in value]
    return str(value) if isinstance(value, Path) else value
