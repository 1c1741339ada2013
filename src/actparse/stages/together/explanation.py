"""The reasons for an action in a sentence: what speaks for it, what speaks against it, and when, where that matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actparse.core.structures import Reason, Verdict, verdict_text
from actparse.core.vocabulary import GROUP_PARTS, PART_GROUP

MAX_FOR = 3  # parts that are named
LEAST_WEIGHT = 0.1  # log odds of what is named; below it a part says next to nothing
LEAST_SHARE = 0.15  # of the weightiest: what is named beside it says at least so much
THIN_TOTAL = 0.7  # log odds: all that speaks for the action together makes it no more than twice as likely
THIN_SCORE = 0.4  # of the action
SHORT_SHARE = 0.5  # of the video's time: of what lasts less, the time is told
WHOLE_SHARE = 0.8  # "throughout"

PLURALS = {"arm": "arms", "hand": "hands", "leg": "legs", "foot": "feet"}
PHRASES: dict[str, tuple[str, str]] = {  # state -> of one part, of two; other states are taken as verbs
    "none": ("keeps still", "keep still"),
    "others": ("does something else", "do something else"),
    "bend": ("is bent", "are bent"),
    "unbend": ("is straight", "are straight"),
    "lift": ("is lifted", "are lifted"),
    "raise": ("is raised", "are raised"),
    "applaud": ("claps", "clap"),
    "step_on": ("is on the ground", "are on the ground"),
    "tiptoe": ("is on tiptoe", "are on tiptoe"),
}


@dataclass(frozen=True)
class _Point:
    """What the sentence may name: one part, or a pair in the same state."""

    group: str
    subject: str
    is_plural: bool
    state: str
    weight: float
    start_seconds: float
    end_seconds: float

    def share_of(self, seconds: float) -> float:
        """Of the video's time."""
        return (self.end_seconds - self.start_seconds) / seconds if seconds > 0 else 1.0

    def text(self, seconds: float) -> str:
        """With its time, where it lasts for a part of the video alone."""
        said = f"{self.subject} {_phrase(self.state, is_plural=self.is_plural)}"
        if self.share_of(seconds) >= SHORT_SHARE:
            return said
        return f"{said} ({self.start_seconds:.1f}-{self.end_seconds:.1f} s)"


def explain(action: str, score: float, reasons: Sequence[Reason], seconds: float, *, verdict: Verdict = "known") -> str:
    """One sentence on why a video shows an action; where none is asserted, that, and what speaks for the closest.

    Args:
        action: that is explained.
        score: of the action, 0..1.
        reasons: of one person, or of all alike.
        seconds: that the video lasts.
        verdict: whether the action is asserted.

    Returns:
        A sentence or two; nothing where an asserted action has no reasons.
    """
    if verdict == "nobody" or (verdict == "unknown" and not reasons):
        return f"{_capitalized(verdict_text(verdict, action, score))}."
    if not reasons:
        return ""
    points = sorted(_points(reasons), key=lambda point: -point.weight)
    best = points[0].weight if points else 0.0
    first_of_group = {point.group: point for point in reversed(points)}.values()
    speaking = [p for p in points if p in first_of_group and p.weight >= max(LEAST_WEIGHT, LEAST_SHARE * best)]
    speaking = speaking[:MAX_FOR]
    against = points[-1] if points and points[-1].weight <= -LEAST_WEIGHT else None
    name = action.replace("_", " ")
    objection = f"; against it: {against.text(seconds)}" if against else ""
    denied = "" if verdict == "known" else f"{_capitalized(verdict_text(verdict, action, score))}. "
    if not speaking:
        return f"{denied}Nothing that the body parts do speaks clearly for {name}{objection}."
    named = _listed([point.text(seconds) for point in speaking])
    named += " throughout" if all(point.share_of(seconds) >= WHOLE_SHARE for point in speaking) else ""
    if denied:
        return f"{denied}For {name} speaks: {named}{objection}."
    is_thin = score < THIN_SCORE or sum(point.weight for point in points if point.weight > 0) < THIN_TOTAL
    opening = f"Perhaps {name}, on thin evidence" if is_thin else _capitalized(name)
    return f"{opening}: {named}{objection}."


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _points(reasons: Sequence[Reason]) -> list[_Point]:
    together: dict[tuple[str, str], list[Reason]] = {}  # by group and state
    for reason in reasons:
        together.setdefault((PART_GROUP[reason.part], reason.state), []).append(reason)
    points = []
    for (group, _), found in together.items():
        if _is_of_both_sides(group, found):
            points.append(_point(group, f"both {PLURALS[group]}", found, is_plural=True))
            continue
        for part in GROUP_PARTS[group]:
            if own := [reason for reason in found if reason.part == part]:
                subject = "the hips" if part == "hip" else f"the {part.replace('_', ' ')}"
                points.append(_point(group, subject, own, is_plural=part == "hip"))
    return points


def _is_of_both_sides(group: str, found: Sequence[Reason]) -> bool:
    """Whether a person has both parts of a pair in the state."""
    sides = GROUP_PARTS[group]
    seen = {(reason.track_id, reason.part) for reason in found}
    return len(sides) == 2 and any({(track, side) for side in sides} <= seen for track, _ in seen)


def _point(group: str, subject: str, found: Sequence[Reason], *, is_plural: bool) -> _Point:
    """Reasons of one state together; their stretches too, where they meet that of the weightiest."""
    main, *others = sorted(found, key=lambda reason: -abs(reason.weight))
    start, end = main.start_seconds, main.end_seconds
    for other in others:
        if other.start_seconds <= end and start <= other.end_seconds:
            start, end = min(start, other.start_seconds), max(end, other.end_seconds)
    return _Point(group, subject, is_plural, main.state, sum(reason.weight for reason in found), start, end)


def _phrase(state: str, *, is_plural: bool) -> str:
    if state in PHRASES:
        return PHRASES[state][is_plural]
    verb, _, rest = state.partition("_")
    said = verb if is_plural else _third_person(verb)
    return f"{said} {rest.replace('_', ' ')}".strip()


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def _listed(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
