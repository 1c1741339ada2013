"""One recipe for each network: its task, its augmentation and its settings."""
