"""Read a YAML file and remember on which line every key stands."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from srtbench.config.errors import ConfigError, Problem

KeyPath = tuple[str | int, ...]

_FLOAT = re.compile(
    r"""^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[0-9][0-9_]*[eE][-+]?[0-9]+
        |\.[0-9_]+(?:[eE][-+]?[0-9]+)?
        |\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


_TOO_DEEP = "nested too deeply, or an anchor that contains itself"
MAX_VALUES = 100_000
"""Values of a file, an alias counted as all that its anchor holds; large sweeps have hundreds."""
_TOO_MANY = f"over {MAX_VALUES:,} values once its aliases are written out"


_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads ``1e-4`` as a number, as YAML 1.2 does (PyYAML: a string)."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


@dataclass
class YamlSource:
    """Parsed content of a YAML file, with the line of each key path."""

    path: Path
    content: Any
    lines: dict[KeyPath, int]
    values: int = 0
    problems: list[Problem] = field(default_factory=list)

    def line(self, key_path: KeyPath) -> int | None:
        """Line (from 1) of the longest prefix of ``key_path`` that the file holds."""
        for length in range(len(key_path), -1, -1):
            if key_path[:length] in self.lines:
                return self.lines[key_path[:length]]
        return None


def read_yaml(path: Path) -> YamlSource:
    """Parse ``path``.

    Raises:
        ConfigError: the file is missing, unreadable or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(path, [Problem("file not found")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(path, [Problem(f"cannot be read: {error}")]) from None
    loader = _Loader(text)
    source = YamlSource(path, None, {})
    try:
        node = loader.get_single_node()
        if node is not None:
            # First, as it is written: constructing puts merged keys (<<) beside the own ones.
            _index(node, (), source)
            source.content = loader.construct_document(node)
    except RecursionError:
        raise ConfigError(path, [Problem(_TOO_DEEP)]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else None
        raise ConfigError(path, [Problem(f"not valid YAML: {reason}", line=line)]) from None
    except ConfigError:
        raise
    except (ValueError, LookupError, AttributeError) as error:  # PyYAML's own, e.g. 2024-13-45
        raise ConfigError(path, [Problem(f"a value does not fit its type: {error}")]) from None
    finally:
        loader.dispose()
    return source


def _index(node: yaml.Node, here: KeyPath, source: YamlSource) -> None:
    source.lines.setdefault(here, node.start_mark.line + 1)
    _count(source)
    if isinstance(node, yaml.MappingNode):
        _index_keys(node, here, source, set())
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _index(item, (*here, position), source)
    elif any("\ud800" <= character <= "\udfff" for character in node.value):
        line = node.start_mark.line + 1
        source.problems.append(Problem(r"half of a surrogate pair (\ud...) is no text", here, line))


def _index_keys(
    node: yaml.MappingNode,
    here: KeyPath,
    source: YamlSource,
    own: set[str],
    *,
    merged: bool = False,
) -> None:
    """The keys of a mapping, and those that `<<` puts beside them where they are written.

    Args:
        own: keys that are there already, which count before merged ones; the new ones are added.
    """
    seen: set[str] = set()
    beside: list[yaml.Node] = []
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in seen and not merged:
            problem = Problem("key is given twice", key_path=(*here, key), line=line)
            source.problems.append(problem)
        seen.add(key)
        if key_node.tag == _MERGE:
            several = isinstance(value_node, yaml.SequenceNode)
            beside += value_node.value if several else [value_node]
        elif key not in own:
            source.lines[(*here, key)] = line
            _index(value_node, (*here, key), source)
    own |= seen
    for one in beside:
        _count(source)
        if isinstance(one, yaml.MappingNode):
            _index_keys(one, here, source, own, merged=True)


def _count(source: YamlSource) -> None:
    source.values += 1
    if source.values > MAX_VALUES:
        raise ConfigError(source.path, [Problem(_TOO_MANY)])
