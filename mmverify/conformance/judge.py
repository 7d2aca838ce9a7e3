"""Whether a result is right, to the precision that the contract asks for, and which item a wrong one belongs to."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import permutations
from typing import Any, Literal

from mmverify.conformance.faults import ERROR, UNDEFINED, items_of
from mmverify.conformance.inputs import Case
from mmverify.conformance.mistakes import MISTAKES
from mmverify.conformance.oracles import Either, missing, well_conditioned
from mmverify.conformance.specs import Spec
from mmverify.conformance.target import RULES, Outcome, Target, shown
from mmverify.errors import MmverifyError, Undefined
from mmverify.formulas import rational
from mmverify.formulas.rounding import as_printed
from mmverify.vectors import RETURN_ERROR
from mmverify.vectors import agrees as near

_NOISE = Fraction(1, 10**9)  # of a price: less than any tick, more than any rounding
_STAKE = 60_000  # USDT: the order that a difference is expressed on
_ON_TICK = ("quote", "round_price", "round_qty")


@dataclass(frozen=True)
class Failure:
    """A case that the target got wrong, and what a finding says of it."""

    item: str
    call: str
    was: str
    should: str
    work: tuple[str, ...] = ()
    amount: Fraction | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Seen:
    """What one case exercised, and how it failed if it did."""

    exercised: tuple[str, ...]
    failure: Failure | None = None


Test = Callable[[Case], Seen]


def agrees(expected: Any, got: Any, *, scale: Any = None, direct: bool = True, floor: Any = 0) -> bool:
    """Say whether a result is as near to the exact one as the contract asks.

    Parameters
    ----------
    expected : Any
        The exact answer; `Either` for several, None for one that is not defined.
    got : Any
        What the target gave.
    scale : Number, optional
        Size of the terms that the answer is a sum or difference of.
    direct : bool
        Whether there is no logarithm, root or quotient before the last step, so that a Decimal can be exact.
    floor : Number
        What a float may be off in any case.

    Returns
    -------
    bool
    """
    if isinstance(expected, Either):
        return got is None or any(agrees(each, got, scale=scale, direct=direct, floor=floor) for each in expected)
    if isinstance(expected, list | tuple):
        return isinstance(got, list) and len(got) == len(expected) and all(
            agrees(e, g, scale=scale, direct=direct, floor=floor) for e, g in zip(expected, got, strict=True)
        )  # fmt: skip
    if expected is None:
        return got is None or got != got
    if isinstance(expected, bool | str) or isinstance(got, bool | str) or got is None or isinstance(got, list):
        return type(expected) is type(got) and bool(expected == got)
    if got != got or got in (math.inf, -math.inf):
        return False
    if isinstance(expected, int) or not isinstance(got, float | Decimal):
        return Fraction(got) == Fraction(expected)
    number: Literal["decimal", "float"] = "float" if isinstance(got, float) else "decimal"
    return near(expected, got, number=number, scale=rational(scale or 0), floor=floor, rounded=not direct)


def call_text(name: str, args: Mapping[str, Any], required: int) -> str:
    """Write a call as in the contract: what it needs by place, the rest by name."""
    parts = [shown(v) if n < required else f"{key}={shown(v)}" for n, (key, v) in enumerate(args.items())]
    return f"{name}({', '.join(parts)})"


class FunctionTest:
    """The test of one function of a target: a case in, what was seen out."""

    def __init__(self, target: Target, name: str, spec: Spec, pinned: Case, taken: frozenset[str] | None) -> None:
        self.target, self.name, self.spec, self._pinned, self._taken = target, name, spec, pinned, taken
        parameters = inspect.signature(spec.oracle).parameters
        self._required = [key for key, each in parameters.items() if each.default is each.empty]
        self._order = list(parameters)
        self._rules = {key: word for key, word in target.conventions.items() if key in RULES and key in parameters}

    def passed(self, case: Case) -> Case:
        """Return the arguments that the target takes, in the contract's order."""
        return {key: case[key] for key in self._order if key in case and (
            key in self._required or self._taken is None or key in self._taken)}  # fmt: skip

    def answer(self, case: Case, oracle: Callable[..., Any] | None = None) -> Any:
        """Return the exact answer, an `Undefined` where there is none, for the numbers as they are passed."""
        given = self.target.given(self.passed(case) | self._pinned)
        rules = self._rules if oracle in (None, self.spec.oracle) else {}
        try:
            place = [given.pop(key) for key in self._required]
            return (oracle or self.spec.oracle)(*place, **given, **rules)
        except Undefined as error:
            return error

    def outcome(self, case: Case) -> Outcome:
        """Call the target."""
        given = self.passed(case)
        place = [given.pop(key) for key in self._required]
        return self.target.attempt(self.target.exposed[self.name], place, given)

    def right(self, case: Case, expected: Any, got: Any) -> bool:
        """Say whether `got` is `expected` within the contract's precision."""
        if isinstance(expected, Undefined):
            return False
        full = self.target.given(self.passed(case) | self._pinned)
        try:
            scale = (
                self.spec.scale(full | self._rules if "maintenance_at" in self._rules else full)
                if self.spec.scale
                else None
            )
        except (MmverifyError, ArithmeticError):
            scale = None
        floor = RETURN_ERROR * (scale or 0) if self.name in ("returns", "volatility") else 0
        return agrees(expected, got, scale=scale, direct=self.spec.direct(full), floor=floor)

    def __call__(self, case: Case) -> Seen:
        """Test one case."""
        if any(key not in case for key in self._required):
            return Seen(())
        if self.name == "liquidation_price" and not well_conditioned(self.target.given(case) | self._rules):
            return Seen(())
        expected, outcome = self.answer(case), self.outcome(case)
        own = items_of(self.name)
        open_ended = expected is None or isinstance(expected, Undefined)
        exercised = (UNDEFINED, ERROR) if open_ended else own[:-2]
        got = outcome.value
        if open_ended or isinstance(expected, Either):
            fine = outcome.kind == "refused" or (
                outcome.kind == "value" and (got is None or self.right(case, expected, got))
            )
            fine = fine and not (outcome.kind == "value" and got is not None and got != got)
        else:
            fine = outcome.kind == "value" and self.right(case, expected, got) and not self._noisy(expected, got)
        if fine:
            return Seen(exercised)
        item = (
            own[0]
            if outcome.kind == "hang"
            else self._undefined(case, outcome)
            if open_ended
            else self._wrong(case, expected, outcome)
        )
        return Seen((*exercised, item), self._failure(item, case, expected, outcome))

    def _noisy(self, expected: Any, got: Any) -> bool:
        """Say whether a price that is to be sent is a hair off its tick, though the inputs were exact."""
        pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
        return self.name in _ON_TICK and self.target.number is Decimal and any(as_printed(g) != e for e, g in pairs)

    def _undefined(self, case: Case, outcome: Outcome) -> str:
        """Return the item of an answer, or of an error that is not declared, where nothing is defined."""
        got = outcome.value
        flat = got if isinstance(got, list) else [got]
        if outcome.kind == "error" or got != got or any(each != each or each in (math.inf, -math.inf) for each in flat):
            return ERROR
        if self.name == "quote" and len(flat) == 2 and _sound(case["fair"], case["tick"]) and case["half_spread"] >= 0:
            return "1.1.1" if 0 < flat[0] < flat[1] else "1.1.3"
        if self.name == "mid" and self.answer(case) is None:
            return "1.1.4"
        if (
            self.name == "parse_ts"
            and "T" in case["text"]
            and case["text"][-1] != "Z"
            and not {"+", "-"} & {*case["text"][-6:-5]}
        ):
            return "4.1.1"
        if self.name == "duration":
            return "4.1.4"
        if self.name == "convert" and _sound(*case["rates"].values()):
            return "1.3.5"
        if self.name == "liquidation_price" and self.answer(case) is None:
            return "5.3.3"
        return ERROR if self.spec.hollow(case) and all(each == 0 for each in flat) else UNDEFINED

    def _wrong(self, case: Case, expected: Any, outcome: Outcome) -> str:
        """Return the item of another answer than the right one."""
        own, got = items_of(self.name), outcome.value
        if outcome.kind != "value" or got is None or got != got:
            return own[0]
        for mistake in MISTAKES.get(self.name, ()):
            if mistake.item and self.right(case, self._tried(case, mistake.wrong), got):
                return mistake.item
        if (
            self.name == "quote"
            and isinstance(got, list)
            and len(got) == 2
            and _number(*got)
            and not 0 < got[0] < got[1]
        ):
            return "1.1.3"
        if self.name == "round_price" and expected == 0:
            return "5.1.5"
        if "1.1.5" in own and _near(expected, got) and _longer(expected, got):
            return "1.1.5"
        if self.name == "vwap" and self._ordered:
            return "3.2.3"
        if self.name == "fee" and self._same(case, case | {"rate": case["rate"] + 1}, got):
            return "2.3.5"
        if self.name == "realized_pnl":
            merged = _merged(case["fills"])
            again = self.outcome(case | {"fills": merged})
            if len(merged) < len(case["fills"]) and self.right(case, expected, again.value):
                return "1.3.4"
        if self.name == "parse_ts" and _number(got):
            off = abs(Fraction(got) - expected)
            iso = "T" in case["text"]
            return "4.1.5" if off < (10**9 if iso else 10**4) else "4.1.1" if iso else "4.1.4"
        return own[0]

    @cached_property
    def _ordered(self) -> bool:
        """Whether the answer depends on the order of three trades."""
        rows = [(Decimal(n), Decimal(q)) for n, q in ((100, 5), (101, 3), (102, 2))]
        answers = [
            self.outcome({"prices": [p for p, _ in row], "qtys": [q for _, q in row]}).value
            for row in permutations(rows)
        ]
        return _number(*answers) and not all(_near(Fraction(answers[0]), answer) for answer in answers)

    def _same(self, case: Case, other: Case, got: Any) -> bool:
        again = self.outcome(other).value
        return _number(got, again) and (got == again or _near(Fraction(got), again))

    def _tried(self, case: Case, oracle: Callable[..., Any]) -> Any:
        try:
            return self.answer(case, oracle)
        except (MmverifyError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return Undefined(str(error))

    def cause(self, failures: list[tuple[Case, Outcome]]) -> str:
        """Return the known mistake that reproduces all of these, if one does."""
        for mistake in MISTAKES.get(self.name, ()):
            if all(
                outcome.kind == "value" and self.right(case, self._tried(case, mistake.wrong), outcome.value)
                for case, outcome in failures
            ):
                return mistake.words
        return ""

    def _failure(self, item: str, case: Case, expected: Any, outcome: Outcome) -> Failure:
        call = call_text(self.name, self.passed(case), len(self._required))
        undefined = isinstance(expected, Undefined)
        should = (
            f"{_declared(self.target)} or None: {expected}"
            if undefined
            else "None"
            if expected is None
            else shown(_plain(expected))
        )
        work = (
            ()
            if undefined or expected is None or not self.spec.work
            else (f"{self.spec.work(case)} = {shown(_plain(expected))}",)
        )
        return Failure(item, call, str(outcome), should, work, self._amount(case, expected, outcome.value), outcome)

    def _amount(self, case: Case, expected: Any, got: Any) -> Fraction | None:
        """Return what the difference of this case costs on the stated order, in USDT."""
        pairs = (
            [*zip(expected, got, strict=False)]
            if isinstance(expected, list | tuple) and isinstance(got, list)
            else [(expected, got)]
        )
        money = self.name not in ("trade_signs", "lee_ready", "parse_ts", "duration", "window_of")
        if isinstance(expected, Either | Undefined) or not money or not all(_number(*pair) for pair in pairs):
            return None
        off = max((abs(Fraction(g) - Fraction(e)) for e, g in pairs), default=Fraction(0))
        terms = rational(self.spec.scale(self.target.given(self.passed(case)))) if self.spec.scale else max(
            (abs(Fraction(e)) for e, _ in pairs), default=Fraction(0))  # fmt: skip
        return off / terms * _STAKE if terms else None


def _declared(target: Target) -> str:
    return " or ".join(error.__name__ for error in target.errors)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | bool) else Fraction(value)


def _number(*values: Any) -> bool:
    return all(isinstance(v, int | float | Decimal | Fraction) and math.isfinite(v) for v in values)


def _sound(*values: Any) -> bool:
    """Say whether all of them are numbers above 0."""
    return _number(*values) and all(value > 0 for value in values)


def _longer(expected: Any, got: Any) -> bool:
    """Say whether a price has more digits after the point than the right one."""
    pairs = zip(expected, got, strict=False) if isinstance(expected, list | tuple) else [(expected, got)]
    places = [(_places(Fraction(e)), _places(as_printed(g))) for e, g in pairs]
    return any(got_places > right or right == sys.maxsize for right, got_places in places)


def _places(value: Fraction) -> int:
    """Return how many digits after the point a decimal has."""
    rest, places = value.denominator, 0
    while rest > 1:
        if math.gcd(rest, 10) == 1:
            return sys.maxsize
        rest, places = rest // math.gcd(rest, 10), places + 1
    return places


def _near(expected: Any, got: Any) -> bool:
    pairs = (
        zip(expected, got, strict=False)
        if isinstance(expected, list | tuple) and isinstance(got, list)
        else [(expected, got)]
    )
    return all(_number(g) and abs(Fraction(g) - e) <= _NOISE * abs(e) for e, g in pairs)


def _merged(fills: list[Any]) -> list[Any]:
    """Join neighbours of one side and price."""
    out: list[Any] = []
    for side, price, qty in fills:
        if out and out[-1][:2] == (side, price):
            out[-1] = (side, price, out[-1][2] + qty)
        else:
            out.append((side, price, qty))
    return out


def ahead(test: FunctionTest) -> Test:
    """Return the test that the answers up to an input do not change when the inputs after it do."""

    def look(case: Case) -> Seen:
        past = test.spec.past
        assert past is not None
        rows = len(next(value for value in case.values() if isinstance(value, list)))
        cut = 1 + case["cut"] % rows
        sound = {key: value for key, value in case.items() if key != "cut"}
        full, short = test.outcome(sound), test.outcome(past(sound, cut))
        if (
            full.kind != "value"
            or short.kind != "value"
            or not isinstance(full.value, list)
            or not isinstance(short.value, list)
        ):
            return Seen(())
        for n, (then, now) in enumerate(zip(short.value, full.value, strict=False)):
            if not (missing(then) and missing(now)) and not (_number(then, now) and _near(Fraction(then), now)):
                call = call_text(test.name, test.passed(sound), len(test._required))
                was = f"{shown(now)} at {n}, but {shown(then)} when the inputs end after {cut}"
                return Seen(("3.3.4",), Failure("3.3.4", call, was, f"{shown(then)} at {n} whatever comes after"))
        return Seen(("3.3.4",))

    return look
