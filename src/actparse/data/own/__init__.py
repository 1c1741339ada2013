"""Custom datasets: a YAML file describes videos, label files and words; the import writes Kinetics-TPS's layout."""
