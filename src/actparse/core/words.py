"""Checks of words that a user wrote against a list, with a suggestion for an unknown one; texts for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from actparse.core.errors import DataError

CUTOFF = 0.6  # similarity, as in difflib, from which a word is suggested
MAX_WORD = 200  # characters of a word in a message
MAX_LISTED = 12  # words of a list in a message


def expect_word(word: str, choices: Iterable[str], where: str, *, error: type[ValueError] = DataError) -> str:
    """Return the word if it is one of `choices`.

    Args:
        word: the word that the user wrote.
        choices: the allowed words.
        where: start of the message: the file and the field, or the meaning of the word.
        error: class of the error that is raised.

    Raises:
        DataError: or `error`: the word is not in the list.
    """
    words = list(choices)
    if word in words:
        return word
    raise error(
        f"{where}: needs one of {listed(words) or 'an empty list'}, got {readable(word)!r}{suggestion(word, words)}"
    )


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'lunge'?", or nothing if no word is similar."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=CUTOFF)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(words: Sequence[str]) -> str:
    """Return the first words, separated by commas, and how many more there are."""
    more = f" and {len(words) - MAX_LISTED} more" if len(words) > MAX_LISTED else ""
    return ", ".join(words[:MAX_LISTED]) + more


def summarised(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first of some lines that say the same of different things, and one that counts the others."""
    more = [f"... and {len(lines) - MAX_LISTED} more lines like the last"] if len(lines) > MAX_LISTED else []
    return (*lines[:MAX_LISTED], *more)


def readable(text: str) -> str:
    """Return the text cut at MAX_WORD and encodable as UTF-8: half a surrogate pair becomes a question mark."""
    text = text[:MAX_WORD]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def box_text(box: Iterable[float]) -> str:
    """Return a box for a message, such as "[10, 20.5, 60, 90]"."""
    return f"[{', '.join(f'{value:g}' for value in box)}]"
