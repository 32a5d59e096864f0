"""Commands to begin with: `schema`."""

import click

from srtbench.cli.say import say


@click.command(
    epilog="""\b
Examples:
  srtbench schema > sweep.schema.json
\b
With that file beside a sweep file, and this as the first line of the sweep file, an editor with a
YAML language server completes and checks it:
  # yaml-language-server: $schema=sweep.schema.json
"""
)
def schema() -> None:
    """Print the JSON schema of a sweep file: every key, its type and its allowed values.

    docs/reference.md is the same for readers.
    """
    from srtbench.config.schema import schema_text

    say(schema_text().rstrip())
