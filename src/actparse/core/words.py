"""Words that a person wrote, held against a list: one that is not there is an error that names the likeliest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from actparse.core.errors import DataError

CUTOFF = 0.6  # of difflib, for a word to be like another
MAX_WORD = 200  # characters of a word that a message shows
MAX_LISTED = 12  # words of a list that a message names


def expect_word(word: str, known: Iterable[str], where: str, *, error: type[ValueError] = DataError) -> str:
    """The word itself, where it is one of `known`.

    Args:
        word: what was written.
        known: the list.
        where: begins the message: the file and the field, or what the word stands for.
        error: raised.

    Raises:
        DataError: or `error`: the word is not in the list.
    """
    words = list(known)
    if word in words:
        return word
    raise error(f"{where}: needs one of {_listed(words)}, got {readable(word)!r}{suggestion(word, words)}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'lunge'?", or nothing where no word is like it."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=CUTOFF)
    return f"; did you mean {close[0]!r}?" if close else ""


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - MAX_LISTED} more" if len(words) > MAX_LISTED else ""
    return (", ".join(words[:MAX_LISTED]) or "an empty list") + more


def readable(text: str) -> str:
    """The text as UTF-8 can hold it, cut at MAX_WORD: half a surrogate pair becomes a question mark."""
    text = text[:MAX_WORD]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
