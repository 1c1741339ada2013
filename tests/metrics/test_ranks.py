from __future__ import annotations

import math

from actparse.metrics.ranks import Hits


def test_places_are_counted() -> None:
    hits = Hits()
    for asked in ("arm", "arm", "leg", "head"):
        hits.add(asked, ("arm", "leg", "head"))
    assert hits.figures() == {"videos": 4.0, "first": 50.0, "first_two": 75.0}


def test_nothing_ranked_has_no_figure() -> None:
    figures = Hits().figures()
    assert figures["videos"] == 0
    assert math.isnan(figures["first"])
