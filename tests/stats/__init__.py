"""Properties and oracles of srtbench.stats, one file per question."""
