"""Networks on clips: CSN and TSN."""
