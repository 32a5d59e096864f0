"""`python -m srtbench.cli`."""

from srtbench.cli import main

main()
