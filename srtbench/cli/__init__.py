"""The `srtbench` command. Thin: every command imports what it needs when it is called."""

from srtbench.cli.app import main

__all__ = ["main"]
