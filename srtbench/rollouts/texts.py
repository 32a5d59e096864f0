"""Texts out of what trainers hand over: plain strings, or chat messages."""

from collections.abc import Mapping, Sequence
from typing import Any

WRITTEN_BY_POLICY = "assistant"


def clean(text: str) -> str:
    """Text that every file can hold: half of a surrogate pair becomes its escape."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def completion_text(completion: Any) -> str:
    """What the policy wrote: a string as it is; of chat messages, its own, an empty line between.

    It is `clean`.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(completion, str):
        return clean(completion)
    own = [
        _content(message)
        for message in _messages(completion)
        if (message.get("role") or WRITTEN_BY_POLICY) == WRITTEN_BY_POLICY
    ]
    return clean("\n\n".join(text for text in own if text))


def prompt_text(prompt: Any) -> str:
    """A prompt as one text: a string or a single message as it is, else ``role: content`` lines.

    It is `clean`.

    Raises:
        TypeError: it is neither a string nor chat messages.
    """
    if isinstance(prompt, str):
        return clean(prompt)
    messages = _messages(prompt)
    if len(messages) == 1:
        return clean(_content(messages[0]))
    lines = [f"{message.get('role') or '?'}: {_content(message)}" for message in messages]
    return clean("\n".join(lines))


def _messages(given: Any) -> Sequence[Mapping[str, Any]]:
    messages = [given] if isinstance(given, Mapping) else given
    if not isinstance(messages, Sequence) or not all(isinstance(one, Mapping) for one in messages):
        raise TypeError(f"a text or a list of chat messages is wanted, not {type(given).__name__}")
    return messages


def _content(message: Mapping[str, Any]) -> str:
    """Text of a message; of one made of parts, its texts."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, Sequence):
        return str(content)
    return "".join(
        part if isinstance(part, str) else str(part.get("text") or "")
        for part in parts
        if isinstance(part, str | Mapping)
    )
