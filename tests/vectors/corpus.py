"""What a vector file is made of: cases, groups, flags, and their one canonical form on disk.

Nothing here or beside it imports mmverify: the corpus is a voice of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

EXACT = "computed by tests/vectors/make.py in exact rational arithmetic"
LOGS = "computed by tests/vectors/make.py: logarithms and roots to 40 digits, the rest in exact rational arithmetic"
HAND = "hand"
VERSION = 1
DIGITS = 40


@dataclass(frozen=True)
class Case:
    """One test: what goes in, what must come out, and how far a double may be from it."""

    comment: str
    flags: tuple[str, ...]
    inputs: dict[str, Any]
    result: str
    expected: Any
    scale: Any = None


@dataclass
class Group:
    """Cases under the same conventions and from the same source."""

    params: dict[str, Any]
    source: str
    tests: list[Case] = field(default_factory=list)

    def add(self, comment: str, flags: str, expected: Any, scale: Any = None, **inputs: Any) -> None:
        """Add a case; None is 'not defined', and an {"either": [...]} anywhere leaves that part open."""
        result = "acceptable" if is_open(expected) else "valid"
        self.tests.append(Case(comment, tuple(flags.split()), inputs, result, expected, scale))

    def refuse(self, comment: str, flags: str, **inputs: Any) -> None:
        """Add a case that must raise or give None."""
        self.tests.append(Case(comment, tuple(flags.split()), inputs, "invalid", None))

    def either(self, comment: str, flags: str, answers: list[Any], scale: Any = None, **inputs: Any) -> None:
        """Add a case for which the contract leaves several answers open; None among them is 'may refuse'."""
        self.add(comment, flags, {"either": answers}, scale, **inputs)


def is_open(expected: Any) -> bool:
    """Say whether an answer leaves anything open."""
    if isinstance(expected, dict):
        return "either" in expected or any(map(is_open, expected.values()))
    return isinstance(expected, list) and any(map(is_open, expected))


class Numbers:
    """A small generator of whole numbers, the same on every machine and Python (Knuth's MMIX constants)."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, end: int) -> int:
        """Return a number from 0 to end - 1."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % end

    def between(self, low: int, high: int) -> int:
        """Return a number from low to high, both included."""
        return low + self.below(high - low + 1)

    def decimal(self, low: int, high: int, digits: int) -> Fraction:
        """Return a decimal from low to high with so many digits after the point."""
        return Fraction(self.between(low * 10**digits, high * 10**digits), 10**digits)

    def pick(self, among: list[Any]) -> Any:
        """Return one of a list."""
        return among[self.below(len(among))]


def text(value: Fraction | int | Decimal) -> str:
    """Write a number exactly: as a plain decimal where it ends, else as a fraction."""
    value = Fraction(value)
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    whole = abs(value.numerator) * 10**places // value.denominator
    digits = f"{whole:0{places + 1}d}"
    body = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return ("-" if value < 0 else "") + body


def rounded(value: Fraction | Decimal, digits: int = DIGITS) -> Fraction:
    """Round to so many significant digits, half to even."""
    with localcontext() as context:
        context.prec = digits
        ratio = Fraction(value)
        return Fraction(Decimal(ratio.numerator) / Decimal(ratio.denominator))


def log(ratio: Fraction) -> Decimal:
    """Return the natural logarithm to 70 digits, more than any answer keeps."""
    with localcontext() as context:
        context.prec = 90
        value = (Decimal(ratio.numerator) / Decimal(ratio.denominator)).ln()
        context.prec = 70
        return +value


def root(value: Fraction) -> Decimal:
    """Return the square root to 70 digits."""
    with localcontext() as context:
        context.prec = 90
        found = (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()
        context.prec = 70
        return +found


def encode(value: Any) -> Any:
    """Turn every number into text; None, booleans and text stay."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, dict):
        return {key: encode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return text(value)


def document(name: str, groups: list[Group], notes: dict[str, tuple[str, str, str]]) -> str:
    """Write a vector file: notes, groups, and a case a line."""
    used = sorted({flag for group in groups for each in group.tests for flag in each.flags})
    explained = {flag: dict(zip(("bug_type", "description", "effect"), notes.get(f"{name}:{flag}") or notes[flag], strict=True)) for flag in used}
    lines = ["{", f'"formula": {json.dumps(name)},', f'"version": {VERSION},', '"notes": {']
    lines += [f" {json.dumps(flag)}: {json.dumps(note)}" + ("," if flag != used[-1] else "") for flag, note in explained.items()]
    lines += ["},", '"groups": [']
    for number, group in enumerate(groups):
        assert 0 < len(group.tests) < 100, f"{name}: a group has 1 to 99 cases"
        lines.append(f' {{"params": {json.dumps(encode(group.params))}, "source": {json.dumps(group.source)}, "tests": [')
        tests = []
        for place, each in enumerate(group.tests, start=1):
            row = {"id": f"{name}-{100 * number + place:03d}", "comment": each.comment, "flags": list(each.flags), "inputs": encode(each.inputs), "result": each.result, "expected": encode(each.expected)}
            if each.scale is not None:
                row["scale"] = encode(each.scale)
            tests.append("  " + json.dumps(row, ensure_ascii=False))
        lines.append(",\n".join(tests))
        lines.append(" ]}" + ("," if number < len(groups) - 1 else ""))
    lines += ["]", "}"]
    return "\n".join(lines) + "\n"
