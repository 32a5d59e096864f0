"""Canonical forms of scalars by sympy. Runs in the worker process only.

Expressions are built by calling constructors from the tables below on numbers and symbols. No
text is ever handed to sympy, so none of its string parsers is reachable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.str import StrPrinter
from sympy.simplify.radsimp import rad_rationalize

from srtbench.answers.bounds import ARITHMETIC, expanded_terms
from srtbench.answers.exact import MAX_BITS, MAX_FACTORIAL, NeedsEngineError, power, rational
from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import MalformedError, UnsupportedError
from srtbench.answers.roots import check_odd_roots

MAX_EXPANDED_POWER = 32
MAX_LOG_BITS = 48
MAX_RADICAND_BITS = 512
MAX_SURDS = 5
MAX_NAMED_FACTORIAL = 10**9
_CONSTANTS = {"pi": sp.pi, "e": sp.E, "i": sp.I}
_plain_log = sp.Function("log")
_large_factorial = sp.Function("factorial of")
_FUNCTIONS: dict[str, Any] = {
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "cot": lambda x: sp.cos(x) / sp.sin(x),
    "sec": lambda x: 1 / sp.cos(x),
    "csc": lambda x: 1 / sp.sin(x),
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "ln": sp.log,
    "log": _plain_log,
    "exp": sp.exp,
    "abs": sp.Abs,
    "floor": sp.floor,
    "ceil": sp.ceiling,
}


class _KeyPrinter(StrPrinter):
    """Prints an expression in the syntax that ``grammar`` reads back."""

    def _print_ImaginaryUnit(self, expr: Any) -> str:  # noqa: N802
        return "i"

    def _print_Exp1(self, expr: Any) -> str:  # noqa: N802
        return "e"

    def _print_log(self, expr: Any) -> str:
        return f"ln({self._print(expr.args[0])})"

    def _print_Abs(self, expr: Any) -> str:  # noqa: N802
        return f"abs({self._print(expr.args[0])})"

    def _print_ceiling(self, expr: Any) -> str:
        return f"ceil({self._print(expr.args[0])})"

    def _print_Function(self, expr: Any) -> str:  # noqa: N802
        if expr.func == _large_factorial:
            return f"{expr.args[0]}!"
        return str(super()._print_Function(expr))

    def _print_factorial(self, expr: Any) -> str:
        return f"({self._print(expr.args[0])})!"

    def _print_binomial(self, expr: Any) -> str:
        top, bottom = (self._print(arg) for arg in expr.args)
        return f"\\binom{{{top}}}{{{bottom}}}"


_printer = _KeyPrinter({"order": None})


def _text(expr: Any) -> str:
    return str(_printer.doprint(expr)).replace("**", "^")


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_Rational and base.is_Rational:
        if base.is_negative and exponent.q % 2 and exponent.q > 1:
            raise UnsupportedError("ambiguous: a real or a complex root")
        try:
            value = power(Fraction(base.p, base.q), Fraction(exponent.p, exponent.q))
            return sp.Rational(value.numerator, value.denominator)
        except NeedsEngineError:
            _check_radicand(base)
            return sp.Pow(base, exponent)
    if exponent.is_Rational:
        size = max(abs(exponent.p), exponent.q)
        if size > (MAX_EXPANDED_POWER if base.is_Add else MAX_BITS):
            raise UnsupportedError("power too high to expand")
        if base.is_Mul and size > MAX_EXPANDED_POWER and base.as_coeff_Mul()[0] not in (1, -1):
            raise UnsupportedError("power too high to expand")
    return sp.Pow(base, exponent)


def _check_radicand(value: Any) -> None:
    """Simplifying a root looks for factors; very large numbers keep their literal form."""
    if value.is_Rational and max(abs(value.p), value.q).bit_length() > MAX_RADICAND_BITS:
        raise UnsupportedError("radicand too large")


def _root(radicand: Any, index: Any) -> Any:
    """The real root where there is one: the cube root of -8 is -2."""
    if not (index.is_Integer and 2 <= index <= MAX_EXPANDED_POWER):
        raise UnsupportedError("root index")
    _check_radicand(radicand)
    if index % 2 and radicand.is_number and radicand.is_negative:
        return -sp.Pow(-radicand, 1 / index)
    return sp.Pow(radicand, 1 / index)


def _binomial(top: Any, bottom: Any) -> Any:
    if top.is_number and not (top.is_Integer and abs(top) <= MAX_FACTORIAL):
        raise UnsupportedError("binomial out of range")
    if bottom.is_number and not (bottom.is_Integer and abs(bottom) <= MAX_FACTORIAL):
        raise UnsupportedError("binomial out of range")
    if bottom.is_number != top.is_number:
        raise UnsupportedError("binomial of symbols")
    return sp.binomial(top, bottom)


def _factorial(value: Any) -> Any:
    """Large ones keep a name of their own: no digits, and no law but that equal ones are equal."""
    if value.is_number:
        if not (value.is_Integer and 0 <= value <= MAX_NAMED_FACTORIAL):
            raise UnsupportedError("factorial out of range")
        if value > MAX_FACTORIAL:
            return _large_factorial(value)
    return sp.factorial(value)


def build(tree: Tree, in_function: bool = False) -> Any:
    """The sympy expression of a scalar tree."""
    try:
        value = rational(tree)
        return sp.Rational(value.numerator, value.denominator)
    except NeedsEngineError:
        pass
    node, *args = tree
    if node == "sym":
        if args[0].startswith(("\\infty", "\\math", "\\empty")):
            raise UnsupportedError("not a scalar")
        return _CONSTANTS.get(args[0]) or sp.Symbol(args[0])
    if node == "apply":
        return sp.Function(args[0])(*(build(arg) for arg in args[1:]))
    if node in {"root", "fn", "pow"}:
        check_odd_roots(tree)
    if node == "fn":
        values = [build(arg, in_function=True) for arg in args[1:]]
        if len(values) == 2:
            return sp.log(values[0]) / sp.log(values[1])
        return _FUNCTIONS[args[0]](values[0])
    if node == "deg":
        if not in_function:
            raise UnsupportedError("degrees inside an expression")
        return build(args[0]) * sp.pi / 180
    if node not in ARITHMETIC | {"root", "binom", "fact"}:
        raise UnsupportedError(node)
    values = [build(arg) for arg in args]
    if node == "add":
        return sp.Add(*values)
    if node == "mul":
        return sp.Mul(*values)
    if node == "neg":
        return -values[0]
    if node == "pow":
        return _power(*values)
    if node == "root":
        return _root(*values)
    if node == "fact":
        return _factorial(*values)
    if node == "binom":
        return _binomial(*values)
    if values[1].is_zero:
        raise MalformedError("division by zero")
    return values[0] / values[1]


def _expand_logs(expr: Any) -> Any:
    """Logarithms of positive rationals become logarithms of primes."""

    def split(log: Any) -> Any:
        value = log.args[0]
        if max(abs(value.p), value.q).bit_length() > MAX_LOG_BITS:
            return log
        factors = sp.factorint(abs(value.p)), sp.factorint(value.q)
        top = sp.Add(*(power * sp.log(prime) for prime, power in factors[0].items()))
        return top - sp.Add(*(power * sp.log(prime) for prime, power in factors[1].items()))

    return expr.replace(
        lambda e: isinstance(e, sp.log) and e.args[0].is_Rational and e.args[0].is_positive, split
    )


def _rationalise(expr: Any) -> Any:
    """Clear square roots of rationals from the denominator.

    ``sympy.radsimp`` does more, but guesses numbers from floats and parses text on the way.
    """
    top, bottom = sp.fraction(sp.together(expr))
    bottom = sp.expand(bottom)
    terms = bottom.args if bottom.is_Add else ()
    if 0 < len(terms) <= MAX_SURDS and all((term**2).is_Rational for term in terms):
        top, bottom = rad_rationalize(top, bottom)
    return sp.expand(top / bottom)


def _normal_number(expr: Any) -> Any:
    expr = _expand_logs(sp.expand(expr))
    if expr.has(AppliedUndef) and expr.has(sp.I):
        return sp.expand(expr)
    if expr.has(sp.I):
        expr = sp.expand_complex(expr)
    if expr.has(sp.Pow):
        expr = _rationalise(sp.sqrtdenest(expr))
    if expr.has(sp.log):
        expr = sp.expand(sp.cancel(expr)) if not expr.has(sp.I) else expr
    return expr


def _normal(expr: Any) -> Any:
    if expr.is_Atom:
        return expr
    if not expr.free_symbols:
        return _normal_number(expr)
    expr = _expand_logs(expr.replace(sp.tan, lambda x: sp.sin(x) / sp.cos(x)))
    expanded = sp.expand(expr)
    if expanded.is_polynomial(*expanded.free_symbols):
        return expanded.replace(
            lambda e: e.is_Add and not e.free_symbols, lambda e: _normal_number(e)
        )
    return sp.cancel(sp.together(expanded))


def _stand_in(expr: Any) -> Any:
    """An expression with known functions, each of its own, in the place of unknown ones."""

    def known(call: Any) -> Any:
        seed = sum(map(ord, call.func.__name__))
        if call.func == _plain_log:
            return sp.log(call.args[0]) / 3
        weighted = sp.Add(*((k + 2) * arg for k, arg in enumerate(call.args)))
        return 2 + sp.cos(weighted / 7 + seed)

    return expr.replace(lambda e: isinstance(e, AppliedUndef), known)


def _check_equal(before: Any, after: Any) -> None:
    """Guard against a wrong simplification: both forms agree at one generic point."""
    if before == after:
        return
    names = sorted(before.free_symbols | after.free_symbols, key=str)
    point = {name: sp.Rational(1009 + 37 * k, 811 + 53 * k) for k, name in enumerate(names)}
    first, second = (sp.N(_stand_in(expr).subs(point), 20) for expr in (before, after))
    if not (first.is_number and second.is_number):
        raise UnsupportedError("cannot be checked")
    difference = abs(complex(first - second))
    if not difference <= 1e-9 * max(1.0, abs(complex(first))):
        raise UnsupportedError("forms disagree")


def _check_magnitude(expr: Any) -> None:
    for value in expr.atoms(sp.Rational):
        if max(abs(value.p), value.q).bit_length() > MAX_BITS:
            raise UnsupportedError("number too large")


def normal_form(tree: Tree) -> Any:
    """The canonical sympy expression of a scalar tree."""
    expanded_terms(tree)
    expr = build(tree)
    if expr.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise MalformedError("no finite value")
    _check_magnitude(expr)
    result = _normal(expr)
    _check_magnitude(result)
    _check_equal(expr, result)
    return result


def _interval(operator: str, expr: Any) -> str | None:
    """``expr < 0`` in one symbol that occurs once, to the first power, solved for it."""
    if len(expr.free_symbols) != 1 or expr.has(AppliedUndef):
        return None
    (symbol,) = expr.free_symbols
    slope = sp.expand(expr).coeff(symbol)
    rest = sp.expand(expr - slope * symbol)
    if rest.free_symbols or not slope.is_number or not (slope.is_positive or slope.is_negative):
        return None
    bound = _text(_normal(-rest / slope))
    if operator.startswith(">") == bool(slope.is_positive):
        return f"{'[' if '=' in operator else '('}{bound}, \\infty)"
    return f"(-\\infty, {bound}{']' if '=' in operator else ')'}"


def _relation(operator: str, expr: Any) -> str:
    content, primitive = sp.expand(expr).as_content_primitive()
    primitive = sp.expand(primitive)
    if operator in {"=", "!="}:
        forms = sorted([_text(primitive), _text(sp.expand(-primitive))])
        forms.sort(key=lambda form: form.startswith("-"))
        sign = "=" if operator == "=" else "\\ne"
        return f"{forms[0]} {sign} 0"
    if operator.startswith(">"):
        primitive = sp.expand(-primitive)
    if content.is_negative:
        primitive = sp.expand(-primitive)
    sign = "\\le" if "=" in operator else "<"
    return f"{_text(primitive)} {sign} 0"


@contextmanager
def _refusing() -> Iterator[None]:
    """What sympy cannot do with an expression, it cannot do the next time: literal text."""
    try:
        yield
    except (MalformedError, UnsupportedError, NeedsEngineError, MemoryError):
        raise
    except Exception as error:
        raise UnsupportedError(type(error).__name__) from error


class SympyEngine:
    """Keys of scalars and relations of scalars."""

    def scalar(self, tree: Tree) -> str:
        with _refusing():
            return _text(normal_form(tree))

    def relation(self, operator: str, left: Tree, right: Tree) -> str:
        """An inequality in one symbol as an interval; else ``expression = 0``, ``... < 0``.

        The expression is scaled by a constant.
        """
        with _refusing():
            expr = normal_form(["add", left, ["neg", right]])
            if not expr.free_symbols:
                raise UnsupportedError("a relation without symbols")
            found = None if operator in {"=", "!="} else _interval(operator, expr)
            return found or _relation(operator, expr)
