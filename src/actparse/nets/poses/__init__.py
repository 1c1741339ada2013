"""Pose networks: HRNet and MoveNet, with their crops and heat maps."""
