"""The vectors: cases for a bot in any language, and the rule by which an answer agrees with one.

``data/vectors/NAME.json`` holds the cases of one name of the contract. A bot computes them in its own test suite, or
writes ``{"id": answer}`` and has them judged here. An answer is a number (a JSON string is a decimal, a JSON number a
float), a list, the states of an object after each call, null for 'not defined', or ``{"error": "text"}`` (or
``"error"``) for a refusal.

An answer agrees
- as a decimal: if it is the exact one where that ends within 28 digits, else if it is right to 27; where a logarithm,
  a root, a quotient that need not end or a small difference is in it, right to 22, or to 25 of the difference's terms;
- as a float: if it is within 4 ulp of the exact one, times the condition number of the case (`scale` of the case: the
  size of the terms that the answer is a difference of); returns 4e-15 absolute, volatility that times the root of the
  periods a year; a case whose inputs no float holds is not judged;
- as a whole number (signs, times): if it is that number, however it is written;
- where it is 'not defined': if it is null, NaN or a refusal, inside a list null or NaN;
- where it must be refused: if it is null or a refusal, never a number and never NaN.

A group of cases stands for one set of conventions: it is answered whole, or left out whole.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mmverify.bundled import bundled
from mmverify.errors import UsageError

Exact = Fraction | Decimal | int | str
Got = Fraction | Decimal | float | int | str

ENDS_WITHIN = 28
DIGITS = 27
DIGITS_ROUNDED = 22
DIGITS_OF_TERMS = 25
ULPS = 4
RETURN_ERROR = Fraction(4, 10**15)

#: Answers that are whole numbers.
_WHOLE = {"trade_signs", "lee_ready", "parse_ts", "duration", "window_of"}
#: A logarithm, a root, or a quotient that need not end stands inside, not only at the end.
_ROUNDED = {"returns", "volatility", "ema", "convert", "drawdown", "liquidation_price"}


@dataclass(frozen=True)
class Verdict:
    """What became of one case.

    Attributes
    ----------
    id, formula : str
        The case, such as ``vwap-001``, and the name of the contract that it is of.
    status : {"agrees", "disagrees", "missing", "not judged"}
        ``missing``: others of its group were answered. ``not judged``: a float, and no float holds the inputs.
    reason : str
        Where it does not agree: what was and what should be, in one line; else empty.
    flags : tuple[str, ...]
        What the case probes.
    """

    id: str
    formula: str
    status: Literal["agrees", "disagrees", "missing", "not judged"]
    reason: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """How many cases a file has; the row of all files is named ``*``.

    Attributes
    ----------
    formula : str
        The name, or ``*``.
    cases, edges, invalid, acceptable : int
        All; those with a flag other than Worked; those that must be refused; those that leave the answer open.
    flags : Mapping[str, int]
        Cases a flag.
    """

    formula: str
    cases: int
    edges: int
    invalid: int
    acceptable: int
    flags: Mapping[str, int]


def names() -> list[str]:
    """Name every file of vectors, in the order of the alphabet, capitals first."""
    return sorted(path.stem for path in bundled("data/vectors").glob("*.json") if path.stem != "schema")


@cache
def load(name: str) -> Mapping[str, Any]:
    """Read the vectors of one name.

    Parameters
    ----------
    name : str
        Such as ``vwap`` or ``Position``.

    Returns
    -------
    Mapping[str, Any]
        The file as it stands: numbers are text. It is shared: do not change it.

    Raises
    ------
    UsageError
        If there are none of that name.
    """
    if name not in names():
        raise UsageError(f"no vectors are named {name!r}; should be one of {', '.join(names())}")
    found: Mapping[str, Any] = json.loads((bundled("data/vectors") / f"{name}.json").read_text(encoding="utf-8"))
    return found


def export(folder: Path) -> list[Path]:
    """Copy the vectors, their schema, the page that explains them and the example out.

    Parameters
    ----------
    folder : Path
        Made where it is not there; files of the same names in it are replaced.

    Returns
    -------
    list[Path]
        The files written.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sources = sorted(path for path in bundled("data/vectors").iterdir() if path.is_file())
        return [Path(shutil.copyfile(path, folder / path.name)) for path in sources]
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; should be a folder that can be written") from error


def figures() -> list[Figures]:
    """Count the cases, a row a file and one of all.

    Returns
    -------
    list[Figures]
        The last row is of all files.
    """
    files = {name: [test for group in load(name)["groups"] for test in group["tests"]] for name in names()}
    return [_count(*each) for each in [*files.items(), ("*", [test for tests in files.values() for test in tests])]]


def _count(formula: str, tests: list[Mapping[str, Any]]) -> Figures:
    results = Counter(test["result"] for test in tests)
    flags = Counter(flag for test in tests for flag in test["flags"])
    edges = sum(test["flags"] != ["Worked"] for test in tests)
    return Figures(formula, len(tests), edges, results["invalid"], results["acceptable"], dict(sorted(flags.items())))


def agrees(
    expected: Exact,
    got: Got,
    *,
    number: Literal["decimal", "float"],
    condition: Exact = 1,
    scale: Exact = 0,
    floor: Exact = 0,
    rounded: bool = False,
) -> bool:
    """Say whether a number is the exact one, as far as its kind can be.

    Parameters
    ----------
    expected : Fraction, Decimal, int or str
        The exact answer; of a float, for the floats as passed.
    got : Fraction, Decimal, float, int or str
        The answer to be judged; text may be a decimal or ``"302/3"``.
    number : {"decimal", "float"}
        The kind of number that it was computed with.
    condition : Fraction, Decimal, int or str
        Condition number, at least 1: by how much the problem enlarges a relative error of its inputs.
    scale : Fraction, Decimal, int or str
        The same for an answer that may be 0: the size of the terms that it is a difference of.
    floor : Fraction, Decimal, int or str
        What a float may be off in any case, absolute.
    rounded : bool
        A logarithm, a root or a quotient that need not end is in it before the end.

    Returns
    -------
    bool
        False for NaN, infinity and what is no number.
    """
    exact = Fraction(expected)
    try:
        error = abs(Fraction(got) - exact)
    except (ValueError, ArithmeticError, TypeError):
        return False
    if number == "float":
        ulps = max(_ulp(exact) * Fraction(condition), _ulp(Fraction(scale)))
        return error <= max(ULPS * ulps, Fraction(floor))
    terms = max(abs(exact) * Fraction(condition), abs(Fraction(scale)))
    if not rounded and _ends(exact):
        return error == 0
    if not rounded and terms < 10 * abs(exact):
        return error < _unit(exact, DIGITS)
    return error <= max(_unit(exact, DIGITS_ROUNDED), _unit(terms, DIGITS_OF_TERMS))


def _ulp(value: Fraction) -> Fraction:
    return Fraction(math.ulp(float(value)))


def _ends(value: Fraction) -> bool:
    """Say whether a decimal of 28 digits holds the value."""
    with localcontext(Context(prec=ENDS_WITHIN, traps=[])) as context:
        Decimal(value.numerator) / Decimal(value.denominator)
        return not context.flags[Inexact]


def _unit(value: Fraction, digits: int) -> Fraction:
    """Return one unit of the last of so many digits, 0 for 0."""
    if value == 0:
        return Fraction(0)
    with localcontext(Context(prec=60)):
        first = (Decimal(value.numerator) / Decimal(value.denominator)).adjusted()
    return Fraction(10) ** (first - digits + 1)


def check(results: Mapping[str, Any]) -> list[Verdict]:
    """Judge a bot's answers.

    Parameters
    ----------
    results : Mapping[str, Any]
        Answer by the id of its case, as read from JSON.

    Returns
    -------
    list[Verdict]
        A row for every case of the groups that were answered, in the order of the files.

    Raises
    ------
    UsageError
        If there is no answer at all, or one to a case that does not exist.
    """
    if not results:
        raise UsageError('no answer is there; should be {"id": answer, ...}')
    verdicts = []
    known = set()
    for name in names():
        for group in load(name)["groups"]:
            ids = {test["id"] for test in group["tests"]}
            known |= ids
            if ids & results.keys():
                verdicts += [_verdict(name, group["params"], test, results) for test in group["tests"]]
    unknown = sorted(results.keys() - known)
    if unknown:
        raise UsageError(f"no case has the id {unknown[0]!r}; should be one such as vwap-001")
    return verdicts


def _verdict(name: str, params: Mapping[str, Any], test: Mapping[str, Any], results: Mapping[str, Any]) -> Verdict:
    flags = tuple(test["flags"])
    if test["id"] not in results:
        return Verdict(test["id"], name, "missing", "no answer, though its group was answered", flags)
    got = results[test["id"]]
    if _has_float(got) and not _fits_floats({**params, **test["inputs"]}):
        return Verdict(test["id"], name, "not judged", "a float, and no float holds the inputs of this case", flags)
    if test["result"] == "invalid":
        reason = None if got is None or _refused(got) else _was(got, "refused (an error, or null)")
    else:
        reason = _difference(test["expected"], got, _rule(name, params, test))
    return Verdict(test["id"], name, "disagrees" if reason else "agrees", reason or "", flags)


@dataclass(frozen=True)
class _Rule:
    """How the numbers of one answer are compared."""

    whole: bool
    rounded: bool
    floor: Fraction
    scale: Any
    inside: bool = False
    price: bool = False

    def at(self, field: str | None) -> _Rule:
        """Return the rule for an element of a list, or for a field of a state."""
        if field is None:
            return replace(self, inside=True)
        scale = self.scale[field] if isinstance(self.scale, dict) and field in self.scale else 0
        average = field == "avg_px"
        return replace(self, scale=scale, rounded=self.rounded or average, inside=True, price=average)


#: Inputs that are whole numbers or names for every bot.
_NEVER_FLOAT = {"seq", "prev_seq", "ts_ns", "window_ns", "cooldown_ns", "exec_id"}


def _rule(name: str, params: Mapping[str, Any], test: Mapping[str, Any]) -> _Rule:
    rounded = name in _ROUNDED or params.get("kind") == "inverse" or params.get("cost_basis") == "average"
    if name not in ("returns", "volatility"):
        return _Rule(name in _WHOLE, rounded, Fraction(0), test.get("scale", 0))
    year = Fraction(math.sqrt(Fraction(params.get("periods_per_year", "1"))))
    return _Rule(False, rounded, RETURN_ERROR * year, year)


def _has_float(got: Any) -> bool:
    if isinstance(got, list | Mapping):
        return any(map(_has_float, got.values() if isinstance(got, Mapping) else got))
    return isinstance(got, float)


def _fits_floats(value: Any) -> bool:
    """Say whether every number among the inputs is the shortest decimal of a float."""
    if isinstance(value, Mapping):
        return all(_fits_floats(each) for key, each in value.items() if key not in _NEVER_FLOAT)
    if isinstance(value, list):
        return all(map(_fits_floats, value))
    number = _number(value) if isinstance(value, str) else None
    return number is None or Fraction(repr(float(number))) == number


def _number(value: Any) -> Fraction | None:
    """Read a number, None where it is none."""
    if isinstance(value, bool):
        return None
    try:
        return Fraction(value)
    except (ValueError, ArithmeticError, TypeError):
        return None


def _refused(got: Any) -> bool:
    return bool(got == "error" or (isinstance(got, Mapping) and "error" in got))


def _is_nan(got: Any) -> bool:
    return got != got or (isinstance(got, str) and got.strip().lower() == "nan")


def _was(got: Any, should: Any) -> str:
    words = should if isinstance(should, str) else json.dumps(should)
    return f"was {json.dumps(got)}, should be {words}"


def _difference(expected: Any, got: Any, rule: _Rule) -> str | None:
    """Say how an answer differs, None if it agrees."""
    if isinstance(expected, dict) and "either" in expected:
        reasons = [_difference(each, got, rule) for each in expected["either"]]
        return None if None in reasons else _was(got, expected)
    if expected is None:
        zero = rule.price and not isinstance(got, bool) and _number(got) == 0
        fine = got is None or zero or (_is_nan(got) and not rule.price) or (not rule.inside and _refused(got))
        return None if fine else _was(got, expected)
    if expected == "error":
        return None if _refused(got) else _was(got, "refused")
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return _was(got, expected)
        found = (_difference(*pair, rule.at(None)) for pair in zip(expected, got, strict=True))
        return next(filter(None, found), None)
    if isinstance(expected, dict):
        if not isinstance(got, Mapping):
            return _was(got, expected)
        fields = (_difference(each, got.get(key), rule.at(key)) for key, each in expected.items())
        return next(filter(None, fields), None)
    if isinstance(expected, bool) or _number(expected) is None:
        return None if type(got) is type(expected) and got == expected else _was(got, expected)
    return _number_differs(expected, got, rule)


def _number_differs(expected: str, got: Any, rule: _Rule) -> str | None:
    value = _number(got)
    if value is None:
        return _was(got, expected)
    if value == Fraction(expected):
        return None
    if rule.whole:
        return _was(got, expected)
    number: Literal["decimal", "float"] = "decimal" if isinstance(got, str) else "float"
    fine = agrees(expected, value, number=number, scale=rule.scale, floor=rule.floor, rounded=rule.rounded)
    return None if fine else _was(got, expected)
