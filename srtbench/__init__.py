"""srtbench: benchmark and analysis toolkit for self-rewarded training."""
