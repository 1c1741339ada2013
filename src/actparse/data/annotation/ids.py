"""Ids of images, categories and persons, as programs write them: whole numbers of 64 bits, or text."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from actparse.core.errors import DataError
from actparse.data.annotation.scan import shown

MAX_TEXT = 1000  # characters
Id = int | str


def id_value(value: Any, where: str) -> Id:
    """Return an id: a whole number of 64 bits, with or without a sign, or text; 4.0, as pandas writes it, is 4.

    Raises:
        DataError: it is something else.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT:
        return value
    if type(value) is int and -(2**63) <= value < 2**64:
        return value
    raise DataError(f"{where} must be a whole number of at most 64 bits or text, got {shown(value)}")


def person_id(value: Any, where: str) -> int:
    """Return the id of a person as a whole number of 64 bits with a sign; text gets the same one in every file.

    Raises:
        DataError: it is no id, or -1, which trackers write for "no track".
    """
    identity = id_value(value, where)
    if isinstance(identity, str):
        text = identity.strip()
        digits = re.fullmatch(r"(-?[0-9]{1,20})(?:[.,]0+)?", text)  # 4.0 is 4, also in a table
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        identity = int(digits[1]) if digits else int.from_bytes(digest[:6])
    if identity == -1 or not -(2**63) <= identity < 2**64:
        raise DataError(f"{where} must be a whole number of at most 64 bits or text, and not -1, got {shown(value)}")
    return identity - 2**64 if identity >= 2**63 else identity
