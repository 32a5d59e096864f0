"""Questions that are chat messages, as in the data of verl and TRL.

srtbench asks a question in one user message, after the entry's `system_prompt`, which is in the
plan and in the name of every run. So a row is read if it says no more than that; what it says
beyond (earlier turns, another system message) is never left out unasked.
"""

import json
from collections.abc import Iterable
from typing import Any

from srtbench.datasets.problems import DatasetError
from srtbench.datasets.splits import excerpt


def is_chat(value: Any) -> bool:
    """Whether a value is a list of messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in value)
    )


def read_chat(messages: list[dict[str, Any]], column: str) -> tuple[str, str | None]:
    """The question and the system message, if there is one.

    Raises:
        ValueError: it is another conversation, or not of text.
    """
    roles = [str(message["role"]) for message in messages]
    if roles not in (["user"], ["system", "user"]):
        asked = [place for place, role in enumerate(roles) if role == "user"]
        place = asked[-1] - len(roles) if asked else -1
        raise ValueError(
            f"is a chat of {', '.join(roles[:6])}{', ...' if roles[6:] else ''}, not of one user "
            f"message; name the message to ask, as {column}.{place}.content"
        )
    texts = [_content(message["content"]) for message in messages]
    return texts[-1], texts[0] if len(texts) > 1 else None


def _content(content: Any) -> str:
    """Text of a message: a string, or a list of text parts."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if texts and len(texts) == len(parts):
            return "".join(texts).strip()
    if not isinstance(content, str):
        kind = "null" if content is None else f"a {type(content).__name__}"
        raise ValueError(f"has a message whose content is {kind}, not text")
    return content.strip()


def check_system(
    source: str, column: str, found: Iterable[str | None], system_prompt: str | None
) -> None:
    """Check that the rows' system messages are the entry's `system_prompt`.

    Args:
        found: of every row that is a chat, its system message.

    Raises:
        DatasetError: they are not; the message has the line to write.
    """
    messages = list(dict.fromkeys(found))
    if messages in ([], [None], [system_prompt]):
        return
    path = f"question_column: {column}.-1.content leaves system messages out"
    if len(messages) > 1:
        shown = ", ".join("none" if one is None else excerpt(one) for one in messages[:3])
        more = ", ..." if messages[3:] else ""
        raise DatasetError(
            f"{source}: '{column}' has {len(messages)} different system messages ({shown}{more}), "
            f"and an entry can have one: divide the file; {path}"
        )
    line = json.dumps(messages[0], ensure_ascii=False)
    raise DatasetError(
        f"{source}: '{column}' has a system message that is not the entry's system_prompt; {path}; "
        f"to keep it, write\n  system_prompt: {line}"
    )
