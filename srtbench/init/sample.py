"""Data to begin with, where there are none: words to be written backward."""

import json
import random
from pathlib import Path

_LETTERS = "abcdefghijklmnopqrst"
_LENGTH = 4
_WORDS = 3000


def write_words(path: Path) -> int:
    """Write made-up words with their reverse; the number of rows.

    Raises:
        FileExistsError: there is such a file.
    """
    rng = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        words["".join(rng.choices(_LETTERS, k=_LENGTH))] = None
    with path.open("x", encoding="utf-8") as file:
        for word in words:
            file.write(json.dumps({"question": word, "answer": word[::-1]}) + "\n")
    return len(words)
