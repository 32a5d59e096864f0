"""The arithmetic half of the grammar: sums, products, powers, roots, functions, matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod

from srtbench.answers.application import CONSTANTS, applied_letters, is_argument
from srtbench.answers.leaves import Tree, based, number, repeating, times
from srtbench.answers.lexer import MalformedError, Token, UnsupportedError

MAX_DEPTH = 24
CLOSERS = {"(": ")]", "[": ")]", "{": "}", "\\{": "\\}"}
_MATRICES = frozenset({"pmatrix", "bmatrix", "matrix", "array"})
_GROUPS = frozenset({"boxed", "fbox", "mathbf", "boldsymbol", "bm", "mathnormal"})
_BINOMIALS = frozenset({"binom", "dbinom", "tbinom"})
_NUMERALS = frozenset({"number", "repeating", "based"})
_STARTS = (
    _GROUPS
    | _BINOMIALS
    | _NUMERALS
    | {"symbol", "function", "frac", "sqrt", "langle", "lfloor", "lceil", "begin", *CLOSERS}
)


class ScalarParser(ABC):
    """Recursive descent over the tokens of one answer; depth is bounded."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.bars = 0
        self.dropped_units: set[str] = set()
        self.applied = applied_letters(tokens)

    def peek(self, offset: int = 0) -> str:
        place = self.position + offset
        return self.tokens[place].kind if place < len(self.tokens) else "end"

    def take(self, kind: str | None = None) -> Token:
        if self.position >= len(self.tokens):
            raise MalformedError("it ends too early")
        if kind is not None and self.peek() != kind:
            raise UnsupportedError(f"expected {kind}, found {self.peek()}")
        self.position += 1
        return self.tokens[self.position - 1]

    def skip(self, kind: str) -> bool:
        found = self.peek() == kind
        self.position += found
        return found

    @abstractmethod
    def items(self, *closers: str) -> tuple[list[Tree], list[str]]:
        """Entries up to a closing token, and the separators between them."""

    @abstractmethod
    def bracketed(self, opener: str) -> Tree:
        """What stands in brackets, which may be a container."""

    def sum(self) -> Tree:
        terms = []
        while True:
            sign = self.take().kind if self.peek() in {"+", "-", "pm", "mp"} else "+"
            negative = False
            while self.peek() in {"+", "-"}:
                negative ^= self.take().kind == "-"
            term = self.product()
            if negative:
                term = ["neg", term]
            if sign == "-":
                term = ["neg", term]
            elif sign != "+":
                term = ["pm", sign == "mp", term]
            terms.append(term)
            if self.peek() not in {"+", "-", "pm", "mp"}:
                return terms[0] if len(terms) == 1 else ["add", *terms]

    def product(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise MalformedError("nested too deeply")
        result = self.first_factor()
        divided = False
        divisions = 0
        while True:
            operator = self.peek()
            if operator in {"*", "/"} and self.peek(1) != "unit":
                self.take()
                negative = self.skip("-")
                right = self.factor()
                if negative:
                    right = ["neg", right]
                result = ["div", result, right] if operator == "/" else times(result, right)
                divisions += operator == "/"
                divided = operator == "/"
                if divisions > MAX_DEPTH:
                    raise MalformedError("too many divisions")
            elif operator in _STARTS or (operator == "|" and not self.bars):
                if divided:
                    raise UnsupportedError("ambiguous: a/b c")
                if operator in _NUMERALS:
                    raise UnsupportedError("a number cannot follow without a sign")
                result = times(result, self.factor())
            else:
                self.depth -= 1
                return result

    def first_factor(self) -> Tree:
        """A factor, or a mixed number such as ``1\\frac{4}{5}`` or ``1 4/5``."""
        whole = self.factor()
        if whole[0] != "num" or whole[2] != 1 or self.tokens[self.position - 1].kind != "number":
            return whole
        if self.peek() == "frac":
            part = self.factor()
        elif self.peek() == "number" and self.peek(1) == "/" and self.peek(2) == "number":
            if not self.tokens[self.position].spaced:
                return whole
            top = self.take()
            self.take("/")
            part = ["div", number(top.text), number(self.take().text)]
        else:
            return whole
        if part[0] != "div" or any(x[0] != "num" or x[2] != 1 for x in part[1:]):
            return ["mul", whole, part]
        if not 0 < part[1][1] < part[2][1]:
            raise UnsupportedError("ambiguous: an improper mixed number")
        return ["add", whole, part]

    def factor(self) -> Tree:
        named = self.peek() == "symbol"
        base = self.base()
        while True:
            if self.peek() == "^":
                self.take()
                exponent = self.exponent()
                if base[0] == "deg":
                    raise UnsupportedError("a power of degrees")
                base = ["deg", base] if exponent == ["circ"] else ["pow", base, exponent]
                if self.peek() == "^":
                    raise UnsupportedError("double superscript")
            elif self.peek() == "degree" and base[0] != "deg":
                self.take()
                base = ["deg", base]
            elif self.peek() == "!":
                self.take()
                if self.peek() == "!" or base[0] == "fact":
                    raise UnsupportedError("double factorial")
                base = ["fact", base]
            elif self.peek() == "_":
                base = self.subscript(base)
            elif named and self.applies(base):
                base = self.application(base)
            else:
                return base

    def applies(self, base: Tree) -> bool:
        """Whether the brackets that come next hold an argument of ``base`` and no factor."""
        head = base[1] if base[0] == "pow" else base
        if self.peek() not in {"(", "["} or head[0] != "sym" or head[1] in CONSTANTS:
            return False
        return is_argument(head[1], self.tokens, self.position, self.applied)

    def application(self, base: Tree) -> Tree:
        """``f(x)``, ``N(0)``: an unknown function of what stands in the brackets."""
        if base[0] == "pow":
            raise UnsupportedError("ambiguous: a power of a function")
        inner = self.bracketed(self.take().kind)
        arguments = inner[3:] if inner[0] == "bracket" else [inner]
        return ["apply", base[1], *arguments]

    def exponent(self) -> Tree:
        """A superscript. As people write it, ``x^10`` is the tenth power."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise MalformedError("nested too deeply")
        if self.peek() == "{" and self.peek(1) == "circ" and self.peek(2) == "}":
            self.position += 3
            result: Tree = ["circ"]
        elif self.skip("circ"):
            result = ["circ"]
        elif self.skip("-"):
            result = ["neg", self.base()]
        else:
            result = self.base()
            if self.peek() == "^":
                self.take()
                result = ["pow", result, self.exponent()]
        self.depth -= 1
        return result

    def subscript(self, base: Tree) -> Tree:
        self.take("_")
        braced = self.skip("{")
        name = ""
        while self.peek() in {"number", "symbol"}:
            name += self.take().text
            if not braced:
                break
        if braced and not self.skip("}"):
            raise UnsupportedError("subscript")
        if base[0] != "sym" or "_" in base[1] or not name.isalnum() or base[1] in {"pi", "e", "i"}:
            raise UnsupportedError("subscript")
        return ["sym", f"{base[1]}_{{{name}}}"]

    def base(self) -> Tree:
        token = self.take()
        kind = token.kind
        if kind == "number":
            return number(token.text)
        if kind == "symbol":
            return ["sym", token.text]
        if kind == "repeating":
            return repeating(token.text)
        if kind == "based":
            return based(token.text)
        if kind in CLOSERS:
            return self.bracketed(kind)
        if kind == "frac":
            return ["div", self.argument(), self.argument()]
        if kind == "sqrt":
            return self.root()
        if kind in _BINOMIALS:
            return ["binom", self.argument(), self.argument()]
        if kind in _GROUPS:
            return self.argument()
        if kind == "function":
            return self.function(token.text)
        if kind == "|":
            self.bars += 1
            inner = self.sum()
            if not self.skip("|"):
                raise UnsupportedError("a bar without its partner")
            self.bars -= 1
            return ["fn", "abs", inner]
        if kind == "langle":
            entries, _ = self.items("rangle")
            self.take("rangle")
            return ["angle", *entries]
        if kind in {"lfloor", "lceil"}:
            inner = self.sum()
            self.take("r" + kind[1:])
            return ["fn", "floor" if kind == "lfloor" else "ceil", inner]
        if kind == "begin":
            return self.matrix(token.text)
        raise UnsupportedError(f"unexpected {kind}")

    def argument(self) -> Tree:
        r"""A LaTeX argument: a group, or a single digit or letter as in ``\frac12``."""
        if self.peek() in {"{", "("}:
            return self.bracketed(self.take().kind)
        token = self.tokens[self.position] if self.position < len(self.tokens) else None
        if token is not None and token.kind == "number":
            if not token.text.isdigit():
                raise UnsupportedError("ambiguous argument")
            if len(token.text) > 1:
                self.tokens[self.position] = Token("number", token.text[1:], False)
            else:
                self.position += 1
            return number(token.text[0])
        if self.peek() in {"symbol", "sqrt", "frac"}:
            return self.base()
        if token is None:
            raise MalformedError("missing argument")
        raise UnsupportedError("an argument without braces")

    def root(self) -> Tree:
        index: Tree | None = None
        if self.skip("["):
            index = self.sum()
            self.take("]")
        if self.peek() == "number" and len(self.tokens[self.position].text) > 1:
            raise UnsupportedError("ambiguous: sqrt without braces")
        radicand = self.argument()
        return ["root", radicand, index or ["num", 2, 1]]

    def function(self, name: str) -> Tree:
        power: Tree | None = None
        second: list[Tree] = []
        if name == "log" and self.skip("_"):
            second = [self.argument() if self.peek() != "number" else number(self.take().text)]
        if self.skip("^"):
            power = self.exponent()
            if power == ["neg", ["num", 1, 1]] and name in {"sin", "cos", "tan"}:
                name, power = "a" + name, None
            elif power[0] in {"neg", "circ"}:
                raise UnsupportedError("inverse function notation")
        argument = self.function_argument()
        tree: Tree = ["fn", name, argument, *second]
        return tree if power is None else ["pow", tree, power]

    def function_argument(self) -> Tree:
        """``(..)`` or ``{..}`` is the whole argument; bare, a run such as ``2x`` or ``\\pi``."""
        if self.peek() in {"(", "{", "["}:
            return self.bracketed(self.take().kind)
        if self.peek() in {"frac", "sqrt", "function"} or (self.peek() == "|" and not self.bars):
            result = self.factor()
            if self.peek() in _STARTS and self.peek() != "function":
                raise UnsupportedError("ambiguous function argument")
            return result
        negative = self.skip("-")
        result = self.factor()
        while self.peek() == "symbol":
            result = times(result, self.factor())
        if self.peek() in _STARTS and self.peek() != "function":
            raise UnsupportedError("ambiguous function argument")
        return ["neg", result] if negative else result

    def matrix(self, text: str) -> Tree:
        name = text.partition("{")[2].partition("}")[0]
        if name not in _MATRICES:
            raise UnsupportedError(text)
        rows = [[self.sum()]]
        while self.peek() != "finish":
            separator = self.take().kind
            if separator == "&":
                rows[-1].append(self.sum())
            elif separator != "\\\\":
                raise UnsupportedError("matrix")
            elif self.peek() != "finish":
                rows.append([self.sum()])
        if self.take().text.rstrip("}").partition("{")[2] != name:
            raise UnsupportedError("matrix")
        if len({len(row) for row in rows}) != 1:
            raise UnsupportedError("ragged matrix")
        return ["matrix", *rows]
