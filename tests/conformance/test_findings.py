"""What a finding says: the smallest case, the arithmetic, the money, the mistake, and the test that shows it again."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from mmverify.checks import Breach
from mmverify.conformance import run
from mmverify.conformance.histories import replay
from mmverify.conformance.run import Conformed, again, conform
from mmverify.conformance.target import load

WRONG, RIGHT = "conformance.targets.wrong:TARGETS", "conformance.targets.right_decimal"


@cache
def results(name: str, target: str) -> dict[str, Conformed]:
    return {result.item: result for result in conform(f"{WRONG}.{target}", names=[name], budget=300)}


def breach(name: str, target: str, item: str) -> Breach:
    (found,) = results(name, target)[item].looked.breaches
    return found


@pytest.mark.parametrize(
    ("name", "target", "item", "call", "was", "should"),
    [
        ("vwap", "prices_alone", "3.3.1", "vwap([1, 2], [0, 1])", "1.5", "2"),
        ("duration", "duration_turned", "4.1.4", "duration(0, -1)", "1", "no number (None, ValueError or"),
        ("window_of", "towards_zero", "4.1.3", "window_of(-1, 2)", "0", "-2"),
        ("trade_signs", "zero_tick_resets", "3.2.1", "trade_signs([1, 1], first=1)", "[1, 0]", "[1, 1]"),
        ("Breaker", "above_only", "1.4.4", "Breaker(0.1, 0); update(0, 0.1)", "tripped False", "tripped True"),
        ("drawdown", "drawdown_in_money", "1.4.1", "drawdown([2, 0])", "[0, 2]", "[0, 1]"),
    ],
)
def test_a_failure_is_shrunk_to_its_smallest_case(name, target, item, call, was, should) -> None:
    found = breach(name, target, item)
    assert found.where == (call,)
    assert found.was == f"{call} was {was}"
    assert found.should.startswith(should)


@pytest.mark.parametrize(
    ("name", "target", "item", "cause"),
    [
        ("microprice", "same_side_microprice", "1.1.4", "each price was weighted with its own quantity"),
        ("round_price", "both_sides_up", "2.1.3", "both sides were rounded up"),
        ("quote", "skew_turned", "1.1.1", "the skew's sign was turned"),
        ("vwap", "trades_alike_once", "3.2.2", "trades alike were counted once"),
        ("vwap", "prices_alone", "3.3.1", "prices were averaged without their quantities"),
        ("ema", "ema_adjusted", "3.3.2", "pandas adjust=True was used"),
        ("volatility", "ddof_0", "3.3.3", "ddof 0 was used"),
        ("volatility", "year_of_252", "3.3.3", "a year of 252 periods was used"),
        ("drawdown", "drawdown_in_money", "1.4.1", "it was given in money, not as a fraction"),
        ("funding", "funding_received", "1.3.3", "the sign was turned"),
        ("liquidation_price", "bankruptcy_for_liquidation", "5.3.3", "the maintenance margin was left out"),
        ("window_of", "towards_zero", "4.1.3", "times before 1970 were cut towards 0"),
        ("realized_pnl", "loss_is_profit", "1.3.1", "the sign was turned"),
        ("duration", "duration_turned", "4.1.4", ""),
    ],
)
def test_the_mistake_that_reproduces_a_value_is_named(name: str, target: str, item: str, cause: str) -> None:
    found = breach(name, target, item).cause
    assert found.startswith(cause) and bool(found) is bool(cause)


@pytest.mark.parametrize(
    ("name", "target", "item", "work"),
    [
        ("vwap", "prices_alone", "3.3.1", "(1 x 0 + 2 x 1) / (0 + 1) = 2"),
        ("drawdown", "drawdown_in_money", "1.4.1", "(2 - 2) / 2, (2 - 0) / 2 = [0, 1]"),
        ("window_of", "towards_zero", "4.1.3", "floor(-1 / 2) x 2 = -2"),
        ("Breaker", "above_only", "1.4.4", "before the last call: tripped False"),
    ],
)
def test_the_arithmetic_is_shown(name: str, target: str, item: str, work: str) -> None:
    assert breach(name, target, item).work == (work,)


def test_money_is_that_of_an_order_of_60000_usdt() -> None:
    found = breach("vwap", "prices_alone", "3.3.1")  # 1.5 in place of 2 is a quarter off
    assert (found.amount, found.currency) == (15000, "USDT")
    assert found.loss == "25 % of an order of 1 BTC at 60,000 USDT, as this case is off by so much of the right answer"


def test_a_fee_is_money_by_its_notional() -> None:
    found = breach("fee", "rebate_charged", "1.3.3")  # a rebate r that is charged is off by 2 r of the notional
    rate = Fraction(found.where[0].removesuffix(")").split(", ")[2])
    assert found.amount == round(2 * abs(rate) * 60000, 2)
    assert found.loss.endswith("off by so much of the notional")


def test_what_is_no_money_says_so() -> None:
    found = breach("trade_signs", "zero_tick_resets", "3.2.1")
    assert (found.amount, found.loss) == (None, "no amount of money is in this case alone")


def test_a_history_ends_with_the_call_that_fails() -> None:
    reset = ("reset", (0,), {})
    steps = [("update", (0, Decimal("0.1")), {}), reset, reset]
    seen = replay(load(f"{WRONG}.above_only", ["Breaker"]), "Breaker", {"make": (Decimal("0.1"), 0), "steps": steps})
    assert seen.failure and seen.failure.steps == 1
    assert seen.failure.call == "Breaker(0.1, 0); update(0, 0.1)"
    assert results("Breaker", "above_only")["1.4.4"].test.count("('update'") == 1


def test_a_finding_counts_the_cases_that_failed() -> None:
    found = results("duration", "duration_turned")["4.1.4"].looked
    assert 1 < found.breaches[0].count <= found.exercised


def test_the_same_seed_gives_the_same_findings() -> None:
    first, second = (conform(f"{WRONG}.towards_zero", seed=5) for _ in range(2))
    assert first == second


def test_again_says_what_is_still_wrong() -> None:
    case = {"values": [0, 1], "init": "first", "span": 1, "cut": 0}
    words = "ema([0, 1], span=1, init='first') was 1 at 0, but 0 when the inputs end after 1, "
    assert again(f"{WRONG}.ema_of_the_next", "ema", "3.3.4", case) == f"{words}should be 0 at 0 whatever comes after"
    assert again(RIGHT, "ema", "3.3.4", case) == ""
    assert again(RIGHT, "ema", "3.3.2", case) == ""
    assert again(f"{WRONG}.ema_of_the_next", "vwap", "3.3.1", {}) == f"{WRONG}.ema_of_the_next has no vwap"


# --- the budget -------------------------------------------------------------------------------------------------------

CALL_S, BUDGET_S = 0.02, 0.4
SLOW = f"""
import time
calls = 0
def duration(start_ns, end_ns):
    global calls
    calls += 1
    time.sleep({CALL_S})
    return {{}}
"""


def conform_slowly(path: Path, answer: str) -> tuple[int, list[Conformed]]:
    path.write_text(SLOW.format(answer), encoding="utf-8")
    results = conform(str(path), budget=BUDGET_S)
    return sys.modules[f"target_{path.stem}"].calls, results


def test_the_budget_ends_the_shrinking_of_a_slow_target(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(run, "known_cases", lambda *args: [])  # what fails is found by drawing, and is to be shrunk
    calls, results = conform_slowly(tmp_path / "slow_wrong.py", "-7")
    assert 1 <= calls <= BUDGET_S / CALL_S + 1
    (note,) = results[0].looked.notes
    assert note == f"duration: the budget ended after {calls} cases; a larger one tries more"
    (found,) = results[0].looked.breaches
    assert found.was == f"{found.where[0]} was -7"
    assert found.count <= calls


def test_what_the_budget_left_no_time_for_is_not_assessed(tmp_path: Path) -> None:
    calls, results = conform_slowly(tmp_path / "slow_right.py", "end_ns - start_ns if end_ns >= start_ns else None")
    assert 1 <= calls <= BUDGET_S / CALL_S + 1
    assert {result.looked.exercised for result in results} == {0}
    assert {result.looked.notes for result in results} == {
        (f"duration: the budget ended after {calls} cases; a larger one tries more",)
    }
