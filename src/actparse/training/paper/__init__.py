"""The paper's full-size recipes: their hyperparameters, one module each, and the readers of Kinetics-TPS.

Values without a named source are from PCF, the paper that this package implements, section III-A.
"""
