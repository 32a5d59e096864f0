"""Templates -> text. Everything is escaped: prompts and completions are untrusted."""

import functools
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from srtbench.analysis.report.facts import percent


def render(name: str, content: dict[str, Any]) -> str:
    """Fill a template of ``templates/``."""
    return _environment(name.endswith(".html.j2")).get_template(name).render(content)


def text_file(name: str) -> str:
    """A file of ``templates/``."""
    place = files("srtbench.analysis.report").joinpath("templates", name)
    return place.read_text(encoding="utf-8")


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""What a page may load: nothing. A prompt or completion that got through could not either."""
_END = "<!-- end of the page -->"
"""Stands once in a page: everything else that could hold it is escaped."""


def live_page(page: str, version: str) -> str:
    """A page that asks the server it came from for a newer version, and loads it."""
    asking = page.replace(POLICY, f"{POLICY}; connect-src 'self'", 1)
    script = f'<script data-version="{version}">{text_file("watch.js")}</script>'
    return asking.replace(_END, script, 1)


def asset(name: str) -> Markup:
    """A style sheet or script of this package, to stand in the page as it is."""
    return Markup(text_file(name))


@functools.cache
def _environment(html: bool) -> Environment:
    environment = Environment(
        loader=FunctionLoader(text_file),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = percent
    environment.filters["cell"] = _markdown_cell
    environment.globals["asset"] = asset
    environment.globals["policy"] = Markup(POLICY)
    environment.globals["end"] = Markup(_END)
    return environment


_MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {mark: f"\\{mark}" for mark in "\\`*[]|"}
)


def _markdown_cell(value: object) -> str:
    """Text on one line, with nothing in it that Markdown or HTML would read as a mark."""
    return " ".join(str(value).split()).translate(_MARKDOWN)
