"""The closed vocabulary of mathematical answers: signs, names, units."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# In the order of the alphabet, without the letters that are those of Latin; sigma is two signs.
_GREEK_NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "sigma", "tau", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
)  # fmt: skip

UNICODE: dict[str, str] = {
    "\u2212": "-",
    "\uff0c": ",",
    "\u00d7": r"\times ",
    "\u00b7": r"\cdot ",
    "\u22c5": r"\cdot ",
    "\u00f7": r"\div ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u2264": r"\le ",
    "\u2265": r"\ge ",
    "\u2260": r"\ne ",
    "\u221e": r"\infty ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2206": r"\Delta ",
    "\u2208": r"\in ",
    "\u2205": r"\emptyset ",
    "\u221a": r"\sqrt ",
    "\u00b0": r"^\circ ",
    "\u00ba": r"^\circ ",
    "\u211d": r"\mathbb{R}",
    "\u200b": "",
    "\u2060": "",
    "\ufeff": "",
    **dict.fromkeys("\u2010\u2011\ufe63", "-"),
    **dict.fromkeys("\u00a0\u202f\u3000", " "),
    **{chr(space): " " for space in range(0x2000, 0x200B)},
    **dict.fromkeys("\u2032\u2019\u02b9", "'"),
    "\u2033": "''",
    "\u2044": "/",
    "\u2215": "/",
    "\u2217": "*",
    "\u2219": r"\cdot ",
    "\u2115": r"\mathbb{N}",
    "\u2124": r"\mathbb{Z}",
    "\u211a": r"\mathbb{Q}",
    "\u2102": r"\mathbb{C}",
    "\u2220": r"\angle ",
    "\u2248": r"\approx ",
    "\u2261": r"\equiv ",
    "\u00b5": r"\mu ",
    **dict(
        zip(
            "αβγδεζηθκλμνξπρςστφχψωΓΔΘΛΞΠΣΦΨΩ",
            (f"\\{name} " for name in _GREEK_NAMES),
            strict=True,
        )
    ),
    "\u03f5": r"\epsilon ",
    "\u03d1": r"\theta ",
    "\u03d5": r"\phi ",
    "\u230a": r"\lfloor ",
    "\u230b": r"\rfloor ",
    "\u2308": r"\lceil ",
    "\u2309": r"\rceil ",
    "\u27e8": r"\langle ",
    "\u27e9": r"\rangle ",
    "\u2223": "|",
    "\u2016": r"\|",
    "\u2026": "...",
    "\u22ef": "...",
    "\u066a": "%",
    "\u066b": ".",
    "\u066c": ",",
    "\u2209": r"\notin ",
    "\u2282": r"\subset ",
    "\u2286": r"\subseteq ",
}
"""Sign -> how LaTeX writes it."""
BASE_WORDS: dict[str, str] = {
    word: str(base)
    for base, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=2
    )
} | {"twelve": "12", "sixteen": "16"}

_GREEK = _words(
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"
)
COMMAND_SYMBOLS: dict[str, str] = {
    **{name: f"\\{name}" for name in _GREEK},
    "varphi": r"\phi",
    "varepsilon": r"\epsilon",
    "vartheta": r"\theta",
    "pi": "pi",
    "infty": r"\infty",
    "emptyset": r"\emptyset",
    "varnothing": r"\emptyset",
    "imath": "i",
}
OPERATOR_COMMANDS: dict[str, str] = {
    r"\cdot": "*",
    r"\times": "*",
    r"\ast": "*",
    r"\div": "/",
    r"\pm": "pm",
    r"\mp": "mp",
    r"\le": "<=",
    r"\leq": "<=",
    r"\leqslant": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\geqslant": ">=",
    r"\lt": "<",
    r"\gt": ">",
    r"\ne": "!=",
    r"\neq": "!=",
    r"\in": "in",
    r"\cup": "cup",
    r"\cap": "cap",
    r"\setminus": "setminus",
    r"\backslash": "setminus",
    r"\{": "\\{",
    r"\}": "\\}",
    r"\lbrace": "\\{",
    r"\rbrace": "\\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\|": "||",
    r"\vert": "|",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\mid": "|",
    r"\%": "%",
    r"\circ": "circ",
    r"\degree": "degree",
    r"\colon": ":",
    r"\\": "\\\\",
    r"\langle": "langle",
    r"\rangle": "rangle",
    r"\lfloor": "lfloor",
    r"\rfloor": "rfloor",
    r"\lceil": "lceil",
    r"\rceil": "rceil",
}
FUNCTIONS: dict[str, str] = {
    **{
        name: name
        for name in _words(
            "sin cos tan cot sec csc sinh cosh tanh asin acos atan ln log exp abs floor ceil"
        )
    },
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
}
NAMES: dict[str, tuple[str, str]] = {
    "pi": ("symbol", "pi"),
    "sqrt": ("sqrt", "sqrt"),
    "infinity": ("symbol", r"\infty"),
    "inf": ("symbol", r"\infty"),
}
# Small letters that name functions: what stands in brackets after them is an argument.
FUNCTION_LETTERS = _words(r"f g h p q u \phi \psi \zeta")
STRUCTURES = _words("frac sqrt binom dbinom tbinom boxed fbox mathbf boldsymbol bm mathnormal")

# Bare runs of letters that are products, not words; and pairs that are words, not products.
PRODUCT_RUNS = _words("abc abcd xyz pqr uvw rst klm lmn mnp xyt abx aby")
PROSE_PAIRS = _words("no on in is to of at by up am pm ok if it as an be so do go he we")
SCALES: dict[str, str] = {
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "billion": "1000000000",
    "trillion": "1000000000000",
}

CURRENCIES = _words("USD EUR GBP INR JPY CNY RMB CAD AUD CHF KRW BRL MXN SGD HKD NZD SEK NOK DKK")
"""Codes of money, before the number or after it."""
_UNITS = CURRENCIES | _words("""
    m cm mm km dm nm in inch inches ft foot feet yd yard yards mi mile miles meter meters metre
    metres centimeter centimeters centimetre centimetres millimeter millimeters kilometer kilometers
    kilometre kilometres g kg mg gram grams kilogram kilograms lb lbs pound pounds oz ounce ounces
    ton tons l L ml mL liter liters litre litres gallon gallons quart quarts pint pints cup cups s
    sec secs second seconds min mins minute minutes h hr hrs hour hours day days week weeks month
    months year years mph kmh kph fps degree degrees deg radian radians rad percent dollar dollars
    cent cents euro euros yen rupee rupees unit units N J W V A Hz Pa kPa mol K C F people person
    student students way ways time times point points item items apple apples book books coin coins
    marble marbles card cards ball balls box boxes page pages child children men women girl girls
    boy boys egg eggs Hz kHz MHz GHz MPa GPa hPa eV keV MeV GeV TeV kN mN MN kJ MJ GJ mW kW MW GW
    kWh Wh mV kV mA T Wb H B KB kB MB GB TB Mb Gb mmol pF nF rpm bps Kbps Mbps Gbps kcal cal dB atm
    bar torr psi ppm lm lx nm ms ns ha acre acres number numbers integer integers solution solutions
    digit digits square squares triangle triangles side sides mark marks vote votes game games step
    steps piece pieces slice slices
    """)
_UNIT_MODIFIERS = _words("per square cubic sq cu of the each a")
# Two bare letters are a product unless they can hardly be one: `2mg` is not 2 milligrams.
_BARE_PAIR_UNITS = _words("cm mm km kg ft yd lb oz Hz GB MB KB kB TB")
_SPACED_PAIR_UNITS = _words("mg mL ml dm nm kN kJ kW kV mA mV eV Pa ms hr dB")
_WORD = re.compile(r"[A-Za-z]+")


def is_unit(phrase: str) -> bool:
    """Whether a phrase such as ``cm``, ``square feet`` or ``miles per hour`` is only units."""
    words = _WORD.findall(phrase)
    rest = _WORD.sub("", phrase).strip(" ./^*-0123456789\u00b7")
    if not words or rest or len(words) > 4 or not phrase.strip()[0].isalpha():
        return False
    return words[-1] in _UNITS and all(w in _UNITS or w in _UNIT_MODIFIERS for w in words)


def is_bare_unit(word: str) -> bool:
    r"""Whether a word outside ``\text{}`` is a unit."""
    if len(word) <= 2:
        return word in _BARE_PAIR_UNITS
    return word in _UNITS or word.lower() in _UNITS or word in {"per", "square", "cubic"}


def is_compound_unit(phrase: str) -> bool:
    r"""Whether a phrase outside ``\text{}`` is several units, one of which is surely no letter.

    ``km/h`` and ``kg m^2`` are; ``m/s`` and ``N m`` could be products of letters.
    """
    words = _WORD.findall(phrase)
    sure = [one for one in words if len(one) > 2 or one in _BARE_PAIR_UNITS | _SPACED_PAIR_UNITS]
    odd = _UNIT_MODIFIERS - {"per", "square", "cubic", "sq", "cu"}
    return len(words) > 1 and bool(sure) and not odd & {*words} and is_unit(phrase)


def is_spaced_unit(word: str) -> bool:
    r"""Whether two bare letters are a unit after a number and a space: ``20 mg``, not ``20mg``."""
    return word in _SPACED_PAIR_UNITS
