"""Actions on a field: baseball, hurling, throws."""
