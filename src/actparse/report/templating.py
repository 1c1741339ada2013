"""Texts from the templates in report/templates; every inserted value is escaped unless it is `Markup`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from actparse import __version__
from actparse.report.inline import asset, digest


def render(name: str, values: Mapping[str, Any]) -> str:
    """Fill a template.

    Args:
        name: the file's name without ".j2"; values are inserted into Markdown (.md) as they are.
        values: all variables that the template uses.
    """
    return _environment().get_template(f"{name}.j2").render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("actparse.report"),
        autoescape=lambda name: not (name or "").endswith(".md.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "allow_nan": False,
        "separators": (",", ":"),
    }
    environment.globals.update(asset=lambda file: Markup(asset(file)), digest=digest, version=__version__)
    environment.filters["number"] = format_number
    return environment


def format_number(value: float | None, spec: str = "") -> str:
    """Format a number by Python's format specification; None is "none"."""
    return "none" if value is None else format(value, spec)
