"""Options of a command in a YAML file: a key is the name of a flag, a value is the flag's argument."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actparse.core.errors import ConfigError

MAX_BYTES = 1 << 20  # largest size of a file
NOT_IN_FILES = ("help", "config", "print_config")
YES, NO, NOTHING = ("true", "yes", "on"), ("false", "no", "off"), ("null", "~", "")


def with_config(
    parser: argparse.ArgumentParser, args: argparse.Namespace, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Add the options from the file given by --config; flags have precedence.

    Args:
        parser: the parser of all commands.
        args: its result for `arguments`.
        arguments: None uses the command line.

    Raises:
        ConfigError: the file cannot be read, has an unknown key, or a value that the flag does not accept.
    """
    path = getattr(args, "config", None)
    if path is None:
        return args
    command: argparse.ArgumentParser = args.parser
    values = read_config(path, command)
    given = {name for name, value in vars(args).items() if value != command.get_default(name)}
    for group in command._mutually_exclusive_groups:
        names = {action.dest for action in group._group_actions}
        if given & names:
            values = {name: value for name, value in values.items() if name not in names}
    command.set_defaults(**values)
    return parser.parse_args(arguments)


def read_config(path: Path, command: argparse.ArgumentParser) -> dict[str, Any]:
    """Read the values of a file, converted as the flags of `command` convert them.

    Raises:
        ConfigError: as `with_config`.
    """
    from actparse.core.words import expect_word

    actions = {config_key(action): action for action in _actions(command)}
    values = {}
    for key, value in _read_mapping(path).items():
        action = actions[expect_word(key.replace("_", "-"), actions, f"{path}: a key", error=ConfigError)]
        if value not in NOTHING:
            values[action.dest] = _convert(command, action, value, f"{path}: {key}")
    for group in command._mutually_exclusive_groups:
        both = [config_key(action) for action in group._group_actions if action.dest in values]
        if len(both) > 1:
            raise ConfigError(f"{path}: needs one of {' and '.join(both)}, got both")
    return values


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
    return mapping


def _convert(command: argparse.ArgumentParser, action: argparse.Action, value: Any, prefix: str) -> Any:
    """Convert a value, text or a list of texts, as the flag converts it.

    Raises:
        ConfigError: the value has another type, or the flag does not accept it.
    """
    if _is_list(action):
        values = value if isinstance(value, list) else [value]
        return [_convert_one(command, action, item, prefix) for item in values]
    if action.nargs == 0:
        if not isinstance(value, str) or value.lower() not in (*YES, *NO):
            raise ConfigError(f"{prefix} must be true or false, got {value!r}")
        return value.lower() in YES
    return _convert_one(command, action, value, prefix)


def _convert_one(command: argparse.ArgumentParser, action: argparse.Action, value: Any, prefix: str) -> Any:
    if not isinstance(value, str):
        raise ConfigError(f"{prefix} must be one value, got {'a list' if isinstance(value, list) else 'a mapping'}")
    try:
        converted = command._get_value(action, value)
        command._check_value(action, converted)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{prefix}: {error.message}") from None
    return converted


def config_text(args: argparse.Namespace) -> str:
    """Return the effective value of every option of the command, as YAML for `read_config`."""
    import yaml

    values = {config_key(action): _plain(getattr(args, action.dest)) for action in _actions(args.parser)}
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))


def config_key(action: argparse.Action) -> str:
    """Return an option's name in a file: that of its flag or, without a flag, of its positional argument."""
    return (action.option_strings[-1].lstrip("-") if action.option_strings else action.dest).replace("_", "-")


def _actions(command: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in command._actions if action.dest not in NOT_IN_FILES]


def _is_list(action: argparse.Action) -> bool:
    return action.nargs in ("*", "+") or isinstance(action, argparse._AppendAction)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
