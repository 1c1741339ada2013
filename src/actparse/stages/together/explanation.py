"""Sentences with the reasons for an action: parts that support it or speak against it, with times if needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actparse.core.structures import Reason, Verdict, verdict_text
from actparse.core.vocabulary import GROUP_PARTS, PART_GROUP
from actparse.stages.together.object_evidence import ObjectEvidence

MAX_FOR = 3  # parts in the sentence
LEAST_WEIGHT = 0.1  # log odds; parts with less are not mentioned
LEAST_SHARE = 0.15  # relative to the greatest weight; parts with less are not mentioned
THIN_TOTAL = 0.7  # log odds; support that is less in total makes the action at most twice as likely
THIN_SCORE = 0.4  # of the action
SHORT_SHARE = 0.5  # of the video's time; the sentence has times for intervals that are shorter
WHOLE_SHARE = 0.8  # of the video's time; from here on the sentence says "throughout"

PLURALS = {"arm": "arms", "hand": "hands", "leg": "legs", "foot": "feet"}
PHRASES: dict[str, tuple[str, str]] = {  # state -> phrase for one part, for two; other states are used as verbs
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
    """A statement of the sentence: one part, or a pair in the same state."""

    group: str
    subject: str
    is_plural: bool
    state: str
    weight: float
    start_seconds: float
    end_seconds: float

    def share_of(self, seconds: float) -> float:
        """Return the share of the video's time, given its length in seconds."""
        return (self.end_seconds - self.start_seconds) / seconds if seconds > 0 else 1.0

    def text(self, seconds: float) -> str:
        """Return the statement, with its times if it applies only to a short part of the video."""
        statement = f"{self.subject} {_phrase(self.state, is_plural=self.is_plural)}"
        if self.share_of(seconds) >= SHORT_SHARE:
            return statement
        return f"{statement} ({self.start_seconds:.1f}-{self.end_seconds:.1f} s)"


def explain(
    action: str,
    score: float,
    reasons: Sequence[Reason],
    seconds: float,
    *,
    verdict: Verdict = "known",
    objects: Sequence[ObjectEvidence] = (),
) -> str:
    """Explain why a video shows an action; if none is asserted, say so and explain the likeliest action.

    The body parts have the first sentence, and an object that belongs to the action has the last.

    Args:
        action: the action to explain.
        score: of the action, 0..1.
        reasons: of one person, or of all persons together.
        seconds: length of the video.
        verdict: whether the action is asserted.
        objects: evidence from objects; that for other actions is left out.

    Returns:
        One to three sentences; an empty text if an asserted action has no reasons.
    """
    sentences = [_parts_sentence(action, score, reasons, seconds, verdict)]
    sentences += [item.sentence() for item in objects if item.action == action]
    return " ".join(filter(None, sentences))


def _parts_sentence(action: str, score: float, reasons: Sequence[Reason], seconds: float, verdict: Verdict) -> str:
    if verdict == "nobody" or (verdict == "unknown" and not reasons):
        return f"{_capitalize(verdict_text(verdict, action, score))}."
    if not reasons:
        return ""
    points = sorted(_points(reasons), key=lambda point: -point.weight)
    best = points[0].weight if points else 0.0
    first_of_group = {point.group: point for point in reversed(points)}.values()
    supporting = [p for p in points if p in first_of_group and p.weight >= max(LEAST_WEIGHT, LEAST_SHARE * best)]
    supporting = supporting[:MAX_FOR]
    against = points[-1] if points and points[-1].weight <= -LEAST_WEIGHT else None
    name = action.replace("_", " ")
    objection = f"; against it: {against.text(seconds)}" if against else ""
    rejection = "" if verdict == "known" else f"{_capitalize(verdict_text(verdict, action, score))}. "
    if not supporting:
        return f"{rejection}Nothing that the body parts do clearly supports {name}{objection}."
    *first, last = (point.text(seconds) for point in supporting)
    statements = f"{', '.join(first)} and {last}" if first else last
    statements += " throughout" if all(point.share_of(seconds) >= WHOLE_SHARE for point in supporting) else ""
    if rejection:
        return f"{rejection}Evidence for {name}: {statements}{objection}."
    is_thin = score < THIN_SCORE or sum(point.weight for point in points if point.weight > 0) < THIN_TOTAL
    opening = f"Perhaps {name}, on thin evidence" if is_thin else _capitalize(name)
    return f"{opening}: {statements}{objection}."


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _points(reasons: Sequence[Reason]) -> list[_Point]:
    by_state: dict[tuple[str, str], list[Reason]] = {}  # (group, state) -> reasons
    for reason in reasons:
        by_state.setdefault((PART_GROUP[reason.part], reason.state), []).append(reason)
    points = []
    for (group, _), group_reasons in by_state.items():
        if _has_both_sides(group, group_reasons):
            points.append(_point(group, f"both {PLURALS[group]}", group_reasons, is_plural=True))
            continue
        for part in GROUP_PARTS[group]:
            if part_reasons := [reason for reason in group_reasons if reason.part == part]:
                subject = "the hips" if part == "hip" else f"the {part.replace('_', ' ')}"
                points.append(_point(group, subject, part_reasons, is_plural=part == "hip"))
    return points


def _has_both_sides(group: str, reasons: Sequence[Reason]) -> bool:
    """Return whether a person has both parts of a pair in the state."""
    sides = GROUP_PARTS[group]
    pairs = {(reason.track_id, reason.part) for reason in reasons}
    return len(sides) == 2 and any({(track, side) for side in sides} <= pairs for track, _ in pairs)


def _point(group: str, subject: str, reasons: Sequence[Reason], *, is_plural: bool) -> _Point:
    """Combine the reasons of one state; their intervals are joined if they overlap that of the greatest weight."""
    main, *others = sorted(reasons, key=lambda reason: -abs(reason.weight))
    start, end = main.start_seconds, main.end_seconds
    for other in others:
        if other.start_seconds <= end and start <= other.end_seconds:
            start, end = min(start, other.start_seconds), max(end, other.end_seconds)
    return _Point(group, subject, is_plural, main.state, sum(reason.weight for reason in reasons), start, end)


def _phrase(state: str, *, is_plural: bool) -> str:
    if state in PHRASES:
        return PHRASES[state][is_plural]
    verb, _, rest = state.partition("_")
    verb_form = verb if is_plural else _third_person(verb)
    return f"{verb_form} {rest.replace('_', ' ')}".strip()


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"
