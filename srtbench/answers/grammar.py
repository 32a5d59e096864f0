"""Parse an answer into a tree of lists ``[node, *children]``: data only, nothing is evaluated.

Leaves: ``num p q``, ``sym name``, ``base digits b``. Scalars: ``add mul div neg pow pm fact binom
deg fn apply``. Containers: ``bracket open close items``, ``set``, ``list``, ``groups``, ``union``,
``inter``, ``minus``, ``matrix``, ``angle``. Relations: ``rel [operators] [sides]``; also ``ratio``.
"""

from __future__ import annotations

from srtbench.answers.arithmetic import CLOSERS, MAX_DEPTH, ScalarParser
from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import MalformedError, UnsupportedError, tokenize
from srtbench.answers.lists import arrange

MAX_TOKENS = 600
_RELATIONS = frozenset({"=", "<", ">", "<=", ">=", "!=", "in"})
_SEPARATORS = frozenset({",", ";", "or", "and"})
# Inside brackets entries have one level; words separate only the elements of a set.
_INNER_SEPARATORS = (frozenset({",", ";"}), _SEPARATORS)
_SET_OPERATORS = {"cup": "union", "cap": "inter", "setminus": "minus"}


class _Parser(ScalarParser):
    """Entries, relations, sets and brackets around the arithmetic."""

    def items(self, *closers: str) -> tuple[list[Tree], list[str]]:
        """Entries up to a closing token, and the separators between them.

        A comma or semicolon before a word makes one separator of both: ``,and``.
        """
        entries, separators = [self.item()], []
        while self.peek() in _SEPARATORS:
            separator = self.take().kind
            if separator in {",", ";"} and self.peek() in {"and", "or"}:
                separator += self.take().kind
            separators.append(separator)
            entries.append(self.item())
        if closers == ("\\}",) and self.peek() == "|":
            raise UnsupportedError("set-builder notation")
        if self.peek() not in closers:
            failure = MalformedError if self.peek() == "end" else UnsupportedError
            raise failure(f"unexpected {self.peek()}")
        return entries, separators

    def item(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise MalformedError("nested too deeply")
        sides, operators = [self.set_expression()], []
        while self.peek() in _RELATIONS:
            operators.append(self.take().kind)
            sides.append(self.set_expression())
        self.depth -= 1
        return ["rel", operators, sides] if operators else sides[0]

    def set_expression(self) -> Tree:
        left = self.ratio()
        while self.peek() in _SET_OPERATORS:
            operator = _SET_OPERATORS[self.take().kind]
            right = self.ratio()
            if operator == left[0] and operator != "minus":
                left.append(right)
            elif left[0] in {"union", "inter", "minus"}:
                raise UnsupportedError("mixed set operators")
            else:
                left = [operator, left, right]
        return left

    def ratio(self) -> Tree:
        parts = [self.sum()]
        self.units()
        while self.skip(":"):
            parts.append(self.sum())
            self.units()
        return parts[0] if len(parts) == 1 else ["ratio", *parts]

    def units(self) -> None:
        """Drop a unit or a percent sign that ends an entry; anywhere else it is unsupported."""
        if self.skip("%"):
            return
        if self.peek() != "unit":
            return
        phrase = ""
        while True:
            if self.peek() == "unit":
                phrase += self.take().text.strip()
                if self.skip("^"):
                    braced = self.skip("{")
                    self.skip("-")
                    self.take("number")
                    if braced:
                        self.take("}")
            elif self.peek() in {"/", "*", "-"} and self.peek(1) == "unit":
                self.take()
            else:
                break
        if self.peek() not in _SEPARATORS | _RELATIONS | {"end", ":", ")", "]", "\\}", "}"}:
            raise UnsupportedError("a unit inside an expression")
        self.dropped_units.add(phrase)

    def bracketed(self, opener: str) -> Tree:
        closers = CLOSERS[opener]
        allowed = (closers,) if opener in {"{", "\\{"} else tuple(closers)
        if opener == "\\{" and self.skip("\\}"):
            return ["sym", "\\emptyset"]
        bars, self.bars = self.bars, 0
        entries, separators = self.items(*allowed)
        if len(set(separators)) > 1 or not set(separators) <= _INNER_SEPARATORS[opener == "\\{"]:
            raise UnsupportedError("separators of two kinds in brackets")
        closer = self.take().kind
        self.bars = bars
        if opener == "\\{":
            return ["set", *entries]
        if len(entries) == 1 and (opener == "{" or opener + closer in {"()", "[]"}):
            return entries[0]
        return ["list", *entries] if opener == "{" else ["bracket", opener, closer, *entries]


def parse(text: str) -> Tree:
    """The tree of a cleaned answer; several top-level entries become one ``list`` node."""
    tokens = tokenize(text)
    if not tokens:
        raise MalformedError("nothing to parse")
    if len(tokens) > MAX_TOKENS:
        raise MalformedError("too many tokens")
    parser = _Parser(tokens)
    entries, separators = parser.items("end")
    if len(parser.dropped_units) > 1:
        raise UnsupportedError("different units")
    return arrange(entries, separators)
