"""Which column asks, which one answers, and where the options of a choice stand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srtbench.config.errors import allowed
from srtbench.datasets.columns import names_in
from srtbench.datasets.problems import DatasetError
from srtbench.datasets.rows import LEVEL
from srtbench.init.look import PLAIN, Column, columns_in

QUESTIONS = (
    *("question", "problem", "prompt", "query", "instruction", "input", "task", "messages"),
    *("conversation", "conversations", "chat", "text", "word", "expression", "source", "x", "q"),
)
"""Names under which questions stand, the surest first."""

ANSWERS = (
    *("answer", "gold_answer", "gold", "ground_truth", "final_answer", "answerkey", "answer_key"),
    *("correct_answer", "correct", "expected_answer", "expected", "target", "label", "solution"),
    *("output", "result", "response", "completion", "reversed", "sorted", "sum", "y", "a"),
)
"""The same of answers."""

LEVELS = ("level", "difficulty")
OPTIONS = ("choices", "options", "candidates")
_LETTERS = "ABCDEFGHIJ"
_KINDS: dict[type, str] = {dict: "an object", list: "a list", bytes: "bytes"}


@dataclass(frozen=True)
class Options:
    """Where the options of a choice stand, beside the question.

    Attributes:
        columns: a column for each option, or the one that lists them.
        counted: the answer is the option's place, from 0, and no letter.
    """

    columns: tuple[str, ...]
    counted: bool = False

    def of(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Label and text of each option of a row."""
        given = [values.get(name) for name in self.columns]
        labels: Sequence[Any] = range(99) if self.counted else _LETTERS
        if len(given) == 1 and isinstance(given[0], Mapping):
            labels, given = given[0]["label"], given[0]["text"]
        elif len(given) == 1 and isinstance(given[0], list):
            given = given[0]
        pairs = zip(labels, given, strict=False)
        return [(str(label), str(text).strip()) for label, text in pairs if text is not None]


@dataclass(frozen=True)
class Found:
    """The columns of a table, with the reason for each."""

    question: str
    answer: str
    level: str | None = None
    options: Options | None = None
    system_prompt: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)


def find_columns(
    source: str,
    rows: Sequence[Mapping[str, Any]],
    question: str | None = None,
    answer: str | None = None,
) -> Found:
    """Name the columns.

    Args:
        source: name of the file, for messages.
        rows: a sample.
        question: the question's column, if the user says so.
        answer: the answer's.

    Raises:
        DatasetError: they cannot be told, or what the user says is not there.
    """
    columns = columns_in(rows)
    reasons: dict[str, str] = {}
    for name, given in (("question", question), ("answer", answer)):
        if given is not None and given not in columns:
            raise DatasetError(
                f"{source}: --{name} {given}: no such column. {_all(given, columns)}"
            )
    told = question, answer
    answer = answer or _find_answer(columns, question, reasons)
    question = question or _find_question(columns, answer, reasons)
    if None not in (question, answer) and told == (None, None):
        _refuse_row_as_header(source, str(question), str(answer))
    missing = ["question"] if question is None else []
    if answer is None and (question is None or not _is_talk(columns[question])):
        missing.append("answer")
    for one in missing:
        _refuse_kind(source, one, columns)
    if "answer" in missing and (empty := _empty_answer(rows, columns)):
        raise DatasetError(f"{source}: '{empty}' is empty in every row: answers are needed")
    if missing and len(columns) == 1:
        (only,) = columns
        raise DatasetError(f"{source}: '{only}' is the only column: questions need answers beside")
    if missing:
        flags = " and ".join(f"--{one} COLUMN" for one in missing)
        raise DatasetError(
            f"{source}: cannot tell which column holds the {' and which the '.join(missing)}; name "
            f"{'it' if len(missing) == 1 else 'them'} with {flags}. {_all(missing[0], columns)}"
        )
    assert question is not None
    system = None
    if columns[question].is_chat:
        question, answer, system = _of_chat(source, columns[question], answer, reasons)
    assert answer is not None
    if question == answer:
        raise DatasetError(f"{source}: '{question}' cannot be both question and answer")
    options = _find_options(columns, answer) if answer in columns else None
    return Found(question, answer, _find_level(columns, reasons), options, system, reasons)


def _refuse_kind(source: str, wanted: str, columns: Mapping[str, Column]) -> None:
    """Of a column that is called right, say what it holds.

    Raises:
        DatasetError: neither text nor numbers.
    """
    for column in _named(QUESTIONS if wanted == "question" else ANSWERS, columns):
        other = next((one for one in column.values if not isinstance(one, PLAIN)), None)
        if other is not None and not column.is_chat:
            what = _KINDS.get(type(other), f"a {type(other).__name__}")
            others = [name for name in columns if name != column.name]
            raise DatasetError(
                f"{source}: '{column.name}' holds {what}, neither text nor a number; name another "
                f"column, or a value within it, with --{wanted}. {_all('', others)}"
            )


def _empty_answer(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> str | None:
    names = dict.fromkeys(name for values in rows for name in names_in(values))
    empty = (name for name in names if name.rpartition(".")[2].casefold() in ANSWERS)
    return next((name for name in empty if name not in columns), None)


def _refuse_row_as_header(source: str, question: str, answer: str) -> None:
    """Of a table without a header, the first row would be taken for the names of the columns.

    Raises:
        DatasetError: what should name the answers is a number, and what should name the questions
            is none, as it would be were the columns counted.
    """
    numbers = [
        name.removeprefix("-").replace(".", "", 1).isdecimal() for name in (question, answer)
    ]
    if numbers == [False, True]:
        raise DatasetError(
            f"{source}: the columns are called '{question}' and '{answer}', which looks like a "
            "row: let the file begin with a header, e.g. question,answer, or name the columns "
            "with --question and --answer"
        )


def _all(given: str, columns: Iterable[str]) -> str:
    return allowed(given, columns, limit=12)


def _named(names: Sequence[str], columns: Mapping[str, Column]) -> list[Column]:
    """Columns by the last part of their names, in the order of the names; inner ones later."""
    found = []
    for name in names:
        hits = [one for one in columns.values() if one.name.casefold().rpartition(".")[2] == name]
        found += sorted(hits, key=lambda one: one.name.count("."))
    return found


def _find_answer(
    columns: Mapping[str, Column], question: str | None, reasons: dict[str, str]
) -> str | None:
    usable = {name: one for name, one in columns.items() if one.is_text and name != question}
    for column in _named(ANSWERS, usable):
        if not column.name[-1].isdigit() or "." not in column.name:
            reasons["answer_column"] = "by its name"
            return column.name
    lists = [one for one in _named(ANSWERS, columns) if f"{one.name}.0" in usable]
    if lists:
        reasons["answer_column"] = "the first of a list of answers"
        return f"{lists[0].name}.0"
    for name in ANSWERS:
        inner = [one for one in usable.values() if one.name.casefold().split(".")[-2:-1] == [name]]
        if len(inner) == 1:
            reasons["answer_column"] = f"the only value within '{inner[0].name.rpartition('.')[0]}'"
            return inner[0].name
    plain = [one for one in usable.values() if "." not in one.name]
    others = [one for one in plain if not _named(QUESTIONS, {one.name: one})]
    if len(plain) == 2:
        chosen = others[-1] if others else plain[-1]
        reasons["answer_column"] = "one of two columns; the other one asks"
        return chosen.name
    if len(others) == 1 and len(plain) > 1:
        reasons["answer_column"] = "the only column whose name is not that of a question"
        return others[0].name
    return None


def _find_question(
    columns: Mapping[str, Column], answer: str | None, reasons: dict[str, str]
) -> str | None:
    usable = {
        name: one
        for name, one in columns.items()
        if name != answer
        and (one.is_text or one.is_chat)
        and not name.endswith((".role", ".content"))
    }
    if found := _named(QUESTIONS, usable):
        # An instruction that is the same in every row is no question.
        chosen = next((one for one in found if one.different > 1), found[0])
        reasons["question_column"] = "by its name" + (", chat messages" * chosen.is_chat)
        return chosen.name
    chats = [one.name for one in usable.values() if one.is_chat]
    if len(chats) == 1:
        reasons["question_column"] = "the only chat messages"
        return chats[0]
    plain = [one.name for one in usable.values() if "." not in one.name and one.is_text]
    if len(plain) == 1:
        reasons["question_column"] = "the only other column"
        return plain[0]
    return None


def _is_talk(column: Column) -> bool:
    """Chats that end with the answer."""
    return column.is_chat and all(
        len(chat) > 1 and chat[-1]["role"] == "assistant" for chat in column.values
    )


def _of_chat(
    source: str, column: Column, answer: str | None, reasons: dict[str, str]
) -> tuple[str, str, str | None]:
    """Question, answer and system prompt where the question is a chat."""
    chats, name = column.values, column.name
    if answer is None:
        reasons["answer_column"] = "the last message, which is the assistant's"
        reasons["question_column"] = "the message before it"
        return f"{name}.-2.content", f"{name}.-1.content", None
    roles = {tuple(message["role"] for message in chat) for chat in chats}
    if any(chat[-1]["role"] != "user" for chat in chats):
        raise DatasetError(
            f"{source}: the chats of '{name}' do not end with a user message; name the message to "
            f"ask with --question {name}.PLACE.content"
        )
    systems = (
        {chat[0]["content"] if chat[0]["role"] == "system" else None for chat in chats}
        if roles <= {("user",), ("system", "user")}
        else set()
    )
    if len(systems) == 1:
        system = next(iter(systems))
        if system is None or isinstance(system, str):
            if system is not None:
                reasons["system_prompt"] = "the system message of every row"
            return name, answer, None if system is None else system.strip()
    reasons["question_column"] = (
        "the last message alone: earlier ones, and system messages that differ, are not asked"
    )
    return f"{name}.-1.content", answer, None


def _find_level(columns: Mapping[str, Column], reasons: dict[str, str]) -> str | None:
    for column in _named(LEVELS, columns):
        if column.different > 1 and all(LEVEL.fullmatch(text) for text in column.texts):
            reasons["level_column"] = "by its name, whole numbers"
            return column.name
    return None


def _find_options(columns: Mapping[str, Column], answer: str) -> Options | None:
    """Options in columns ``A``, ``B``, ..., or in a list."""
    for form in ("{}", "option_{}", "choice_{}", "option{}", "choice{}"):
        wanted = [form.format(letter).casefold() for letter in _LETTERS]
        names = [
            one.name for name in wanted for one in columns.values() if one.name.casefold() == name
        ]
        if len(names) > 1 and answer not in names:
            return Options(tuple(names))
    for column in _named(OPTIONS, columns):
        if "." in column.name or column.share < 1:
            continue
        values = column.values
        if all(isinstance(one, Mapping) and {"text", "label"} <= one.keys() for one in values):
            return Options((column.name,))
        if all(isinstance(one, list) and len(one) > 1 for one in values):
            counted = all(text.isdigit() for text in columns[answer].texts)
            return Options((column.name,), counted)
    return None
