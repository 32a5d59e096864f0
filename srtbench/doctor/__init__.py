"""What a machine has, whether it fits together, and what it can run."""
