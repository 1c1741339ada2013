"""Actions in which something carries the person: boards, sleds, bulls, crowds."""
