"""actparse: what people in a video are doing, down to each body part, and why."""
