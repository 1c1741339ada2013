"""The paper's full-size recipes: their numbers, one module each, and what reads Kinetics-TPS for them.

Source of all numbers without another one: PCF, the paper that this package implements, section III-A.
"""
