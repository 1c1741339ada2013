"""A dataset of one's own: one YAML file that names videos, label files and words, made into Kinetics-TPS's folders."""
