"""Whether a result is right, to the precision that the contract asks for, and which item a wrong one belongs to."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import chain, permutations
from typing import Any

from mmverify.conformance.faults import AHEAD, ERROR, UNDEFINED, items_of
from mmverify.conformance.inputs import Case
from mmverify.conformance.mistakes import MISTAKES
from mmverify.conformance.oracles import Either, exposed, largest, missing, turnover, well_conditioned, worth
from mmverify.conformance.precision import agrees, near, noisy, number, sound
from mmverify.conformance.specs import Spec
from mmverify.conformance.target import CARRIED, KNOWN, RULES, Outcome, Target, left_out, shown
from mmverify.errors import MmverifyError, Undefined
from mmverify.formulas.rounding import as_printed
from mmverify.vectors import RETURN_ERROR

_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$")
#: What a difference is measured against where it is money, and its name; of a price or an amount the right answer.
_AT_STAKE: dict[str, tuple[Callable[[Case], Any], str]] = {
    "realized_pnl": (turnover, "the fills' notional"),
    "unrealized_pnl": (lambda case: worth(case, "avg_px"), "the position's value at entry"),
    "fee": (lambda case: worth(case, "price"), "the notional"),
    "funding": (lambda case: worth(case, "mark"), "the notional"),
    "exposure": (exposed, "position and orders together"),
    "ema": (largest, "the largest input"),
}
_PRICES = (
    "mid", "microprice", "quote", "round_price", "round_qty", "vwap", "notional", "convert", "liquidation_price",
)  # fmt: skip
_ON_TICK = ("quote", "round_price", "round_qty")


@dataclass(frozen=True)
class Failure:
    """A case that the target got wrong, and what a finding says of it.

    Attributes
    ----------
    item : str
        Whose it is.
    call, was, should : str
        The call, what it came to, and what it should have.
    work : tuple of str
        The arithmetic.
    share : Fraction
        By which part of `of` the case is off, 0 where it says nothing of money.
    of : str
        What the part is of.
    outcome : Outcome, optional
        What the target's call came to.
    steps : int, optional
        How many steps of a history show it, all where None.
    """

    item: str
    call: str
    was: str
    should: str
    work: tuple[str, ...] = ()
    share: Fraction = Fraction(0)
    of: str = ""
    outcome: Outcome | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Seen:
    """What one case exercised, how it failed if it did, and why it could not be judged if so."""

    exercised: tuple[str, ...]
    failure: Failure | None = None
    note: str = ""


Test = Callable[[Case], Seen]


class FunctionTest:
    """The test of one function of a target: a case in, what was seen out.

    Parameters
    ----------
    target : Target
        The target.
    name : str
        The function.
    spec : Spec
        What the contract says of it.
    held : str
        The parameter of a convention that the function has no place for: it is judged by the case's, and not passed it.
    """

    def __init__(self, target: Target, name: str, spec: Spec, held: str = "") -> None:
        self.target, self.name, self.spec, self._held = target, name, spec, held
        parameters = inspect.signature(spec.oracle).parameters
        self._order = list(parameters)
        self._required = [key for key, each in parameters.items() if each.default is each.empty]
        self._left_out = left_out(target.exposed[name], spec.oracle) - set(self._required) | {held}
        self._standard = {key: each.default for key, each in parameters.items() if key in self._left_out - {held}}
        self._rules = {key: word for key, word in target.conventions.items() if key in RULES and key in parameters}

    def passed(self, case: Case) -> Case:
        """Return the arguments that the target is passed, in the contract's order."""
        return {key: case[key] for key in self._order if key in case and key not in self._left_out}

    def judged(self, case: Case) -> Case:
        """Return the arguments that the answer is judged by."""
        return self.passed(case) | {key: case[key] for key in (self._held,) if key in case}

    def _given(self, case: Case) -> Any:
        return self.target.given(self.judged(case))

    def text(self, case: Case) -> str:
        """Write the call as in the contract: what it needs by place, the rest by name."""
        parts = [shown(v) if key in self._required else f"{key}={shown(v)}" for key, v in self.passed(case).items()]
        return f"{self.name}({', '.join(parts)})"

    def answer(self, case: Case, oracle: Callable[..., Any] | None = None) -> Any:
        """Return the exact answer, an `Undefined` where there is none, for the numbers as they are passed."""
        given = self._given(case) | (self._rules if oracle is None else {})
        try:
            place = [given.pop(key) for key in self._required]
            return (oracle or self.spec.oracle)(*place, **given)
        except Undefined as error:
            return error

    def outcome(self, case: Case) -> Outcome:
        """Call the target."""
        given = self.passed(case)
        place = [given.pop(key) for key in self._required if key != self._held]
        return self.target.attempt(self.target.exposed[self.name], place, given)

    def right(self, case: Case, expected: Any, got: Any) -> bool:
        """Say whether `got` is `expected` within the contract's precision."""
        if isinstance(expected, Undefined):
            return False
        full = self._given(case)
        scale = self._scale(full)
        floor = RETURN_ERROR * (scale or 0) if self.name in ("returns", "volatility") else 0
        return agrees(expected, got, scale=scale, direct=self.spec.direct(full), floor=floor)

    def _scale(self, full: Case) -> Any:
        try:
            return self.spec.scale(full | self._rules) if self.spec.scale else None
        except (MmverifyError, ArithmeticError):
            return None

    def __call__(self, case: Case) -> Seen:
        """Test one case; one that needs what the target has no place for is left out."""
        if not self._takes(case) or (
            self.name == "liquidation_price" and not well_conditioned(self._given(case) | self._rules)
        ):
            return Seen(())
        expected, outcome = self.answer(case), self.outcome(case)
        own = [item for item in items_of(self.name) if item != AHEAD]
        undefined = expected is None or isinstance(expected, Undefined)
        exercised = own[-2:] if undefined else own[:-2]
        if self._fine(case, expected, outcome):
            return Seen(tuple(exercised))
        if outcome.kind == "hang":
            item = own[0]
        else:
            item = self._undefined(case, expected, outcome) if undefined else self._wrong(case, expected, outcome)
        return Seen(tuple({*exercised, item}), self._failure(item, case, expected, outcome))

    def _takes(self, case: Case) -> bool:
        """Say whether a case is whole, and asks for nothing that the target has no place for."""
        return (
            all(key in case for key in self._required)
            and all(case.get(key, standard) == standard for key, standard in self._standard.items())
            and (not self._held or case.get(self._held) in KNOWN[CARRIED[self.name][1]])
        )

    def _fine(self, case: Case, expected: Any, outcome: Outcome) -> bool:
        """Say whether an outcome is what the contract allows."""
        got = outcome.value
        if expected is None or isinstance(expected, Either | Undefined):
            return outcome.kind == "refused" or (
                outcome.kind == "value" and (got is None or (got == got and self.right(case, expected, got)))
            )
        return outcome.kind == "value" and self.right(case, expected, got) and not self._noisy(expected, got)

    def _noisy(self, expected: Any, got: Any) -> bool:
        """Say whether a price that is to be sent is a hair off its tick, though the inputs were exact."""
        pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
        return self.name in _ON_TICK and self.target.number is Decimal and any(as_printed(g) != e for e, g in pairs)

    def _undefined(self, case: Case, expected: Any, outcome: Outcome) -> str:
        """Return the item of an answer, or of an error that is not declared, where nothing is defined."""
        got = outcome.value
        flat = got if isinstance(got, list) else [got]
        if outcome.kind == "error" or any(each != each or each in (math.inf, -math.inf) for each in flat):
            return ERROR
        if self.name == "quote" and len(flat) == 2 and sound(case["fair"], case["tick"]) and case["half_spread"] >= 0:
            return "1.1.1" if 0 < flat[0] < flat[1] else "1.1.3"
        if self.name == "mid" and expected is None:
            return "1.1.4"
        if self.name == "parse_ts" and "T" in case["text"] and not _ZONE.search(case["text"]):
            return "4.1.1"
        if self.name == "duration":
            return "4.1.4"
        if self.name == "convert" and sound(*case["rates"].values()):
            return "1.3.5"
        if self.name == "liquidation_price" and expected is None:
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
        if self.name == "quote" and isinstance(got, list) and len(got) == 2 and number(*got):
            return "1.1.3" if not 0 < got[0] < got[1] else "1.1.5" if noisy(expected, got) else "1.1.1"
        if self.name == "round_price" and expected == 0:
            return "5.1.5"
        if "1.1.5" in own and noisy(expected, got):
            return "1.1.5"
        if self.name == "vwap" and self._ordered:
            return "3.2.3"
        if self.name == "fee" and self._same(case, case | {"rate": case["rate"] + 1}, got):
            return "2.3.5"
        if self.name == "realized_pnl":
            merged = _merged(case["fills"])
            again = self.outcome(case | {"fills": merged})
            return "1.3.4" if len(merged) < len(case["fills"]) and self.right(case, expected, again.value) else own[0]
        if self.name == "parse_ts" and number(got):
            off, iso = abs(Fraction(got) - expected), "T" in case["text"]
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
        return number(*answers) and not all(near(Fraction(answers[0]), answer) for answer in answers)

    def _same(self, case: Case, other: Case, got: Any) -> bool:
        again = self.outcome(other).value
        return number(got, again) and (got == again or near(Fraction(got), again))

    def _tried(self, case: Case, oracle: Callable[..., Any]) -> Any:
        try:
            return self.answer(case, oracle)
        except (MmverifyError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return Undefined(str(error))

    def cause(self, failures: Sequence[tuple[Case, Outcome]]) -> str:
        """Return the known mistake that reproduces all of these, if one does."""
        return next(
            (
                mistake.words
                for mistake in MISTAKES.get(self.name, ())
                if all(self._reproduces(mistake.wrong, case, outcome) for case, outcome in failures)
            ),
            "",
        )

    def _reproduces(self, wrong: Callable[..., Any], case: Case, outcome: Outcome) -> bool:
        tried = self._tried(case, wrong)
        if outcome.kind == "refused":
            return isinstance(tried, Undefined)
        return outcome.kind == "value" and self.right(case, tried, outcome.value)

    def _failure(self, item: str, case: Case, expected: Any, outcome: Outcome) -> Failure:
        should, work = "None", tuple[str, ...]()
        if isinstance(expected, Undefined):
            should = f"no number (None, {' or '.join(error.__name__ for error in self.target.errors)}): {expected}"
        elif expected is not None:
            should = shown(_plain(expected))
            work = (f"{self.spec.work(self.judged(case) | self._rules)} = {should}",) if self.spec.work else ()
        share, of = self._share(case, expected, outcome.value), _AT_STAKE.get(self.name, (None, "the right answer"))[1]
        return Failure(item, self.text(case), str(outcome), should, work, share, of, outcome)

    def _share(self, case: Case, expected: Any, got: Any) -> Fraction:
        """Return by which part of the money at stake this case is off, 0 where it says nothing of money."""
        several = isinstance(expected, list | tuple) and isinstance(got, list)
        pairs = [*zip(expected, got, strict=False)] if several else [(expected, got)]
        pairs = [(e, g) for e, g in pairs if not (missing(e) and missing(g))]
        money = self.name in _AT_STAKE or self.name in _PRICES
        if isinstance(expected, Either) or not money or not pairs or not number(*chain(*pairs)):
            return Fraction(0)
        off = max(abs(Fraction(g) - Fraction(e)) for e, g in pairs)
        whole = max(abs(Fraction(e)) for e, _ in pairs)
        if self.name in _AT_STAKE:
            whole = Fraction(_AT_STAKE[self.name][0](self._given(case)))
        return min(off / whole, Fraction(1)) if whole else Fraction(0)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | bool) else Fraction(value)


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
        inputs = {key: value for key, value in case.items() if key != "cut"}
        cut = 1 + case["cut"] % len(next(value for value in inputs.values() if isinstance(value, list)))
        outcome = test.outcome(inputs)
        if outcome.kind == "hang":
            return test(inputs)
        full, short = outcome.value, test.outcome(past(inputs, cut)).value
        if not isinstance(full, list) or not isinstance(short, list):
            return Seen(())
        for n, (then, now) in enumerate(zip(short, full, strict=False)):
            if not (missing(then) and missing(now)) and not (number(then, now) and near(Fraction(then), now)):
                was = f"{shown(now)} at {n}, but {shown(then)} when the inputs end after {cut}"
                return Seen(
                    (AHEAD,), Failure(AHEAD, test.text(inputs), was, f"{shown(then)} at {n} whatever comes after")
                )
        return Seen((AHEAD,))

    return look
