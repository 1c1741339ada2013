"""The fields of a dataclass with the comments beside them, which say unit and range, as a table in the reference."""

from __future__ import annotations

import re
from typing import Any

from griffe import Attribute, Class, Extension

COMMENT = re.compile(r"\s#\s+(.+)$", re.MULTILINE)


class FieldComments(Extension):
    """Used by mkdocstrings as it reads the source."""

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """Add what is said beside public fields to the docstring of a dataclass."""
        if cls.docstring and any("dataclass" in str(made.value) for made in cls.decorators):
            said = {field.name: COMMENT.search(field.source) for field in cls.attributes.values() if is_shown(field)}
            rows = [f"    {name}: {comment[1]}" for name, comment in said.items() if comment]
            if rows:
                cls.docstring.value = "\n".join([cls.docstring.value, "", "Attributes:", *rows])


def is_shown(field: Attribute) -> bool:
    """Whether it is a field, and not a private one."""
    return field.annotation is not None and not field.is_private
