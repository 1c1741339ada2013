"""The paper's settings for inference that are not settings of a single stage.

The networks' files contain the settings of the stages: at most 10 persons, the best box of each part, 7 clips whose
probabilities are averaged, short side 256. Source: PCF, section III-A.
"""

from __future__ import annotations

from actparse.parser import ParserConfig

AS_PUBLISHED = ParserConfig(
    stride=5,  # the official guideline: persons and parts are scored in every fifth frame
    segment_seconds=3.0,  # "three seconds or so"
)
