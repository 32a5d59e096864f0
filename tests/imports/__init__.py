"""Logs of other trainers, read into sweep folders."""
