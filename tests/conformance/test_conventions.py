"""What a target is tried with: the convention that it states, else each that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmverify.conformance.run import conform

RIGHT = "from conformance.targets import right_decimal as right\n"
RETURNS = "def returns(prices, kind='log'):\n    {}\n    return right.returns(prices, {})"
EMA = "def ema(values, span=None, alpha=None, init='first'):\n    {}\n    return right.ema(values, span, alpha, init)"
FIXED = {
    "ema": "def ema(values, span=None, alpha=None): return right.ema(values, span, alpha, 'sma')",
    "ema of a span": "def ema(values, span): return right.ema(values, span, init='adjusted')",
    "returns": "def returns(prices): return right.returns(prices, 'simple')",
    "volatility": "def volatility(prices, periods_per_year):\n"
    "    return right.volatility(prices, periods_per_year, 'simple')",
    "realized_pnl": "def realized_pnl(fills, kind='linear', multiplier=1):\n"
    "    return right.realized_pnl(fills, 'average', kind, multiplier)",
    "Position": "class Position(right.Position):\n"
    "    def __init__(self, kind, multiplier): super().__init__(kind, multiplier, 'lifo')",
}
NOTES = {
    "ema": "ema takes no init and states no ema_init: it was held against sma, which it fits",
    "ema of a span": "ema takes no init and states no ema_init: it was held against adjusted, which it fits",
    "returns": "returns takes no kind and states no volatility: it was held against simple, which it fits",
    "volatility": "volatility takes no kind and states no volatility: it was held against simple, which it fits",
    "realized_pnl": "realized_pnl takes no cost_basis and states no cost_basis: it was held against average, "
    "which it fits",
    "Position": "Position takes no cost_basis and states no cost_basis: it was held against lifo, which it fits",
}


@pytest.fixture
def judge(tmp_path: Path):
    def judge(text: str) -> tuple[set[str], set[str]]:
        path = tmp_path / "adapter.py"
        path.write_text(RIGHT + text, encoding="utf-8")
        results = conform(str(path), budget=300)
        assert not [result.error for result in results if result.error]
        failed = {result.item for result in results if result.looked.breaches}
        assert failed or all(result.looked.exercised for result in results)
        return failed, {note for result in results for note in result.looked.notes}

    return judge


KNOWN = "right.returns(prices, kind)"  # it refuses what is no kind, and takes any for the simple one


def test_a_silent_target_is_asked_for_each_convention(judge) -> None:
    assert judge(RETURNS.format("", "kind")) == (set(), set())
    assert judge(RETURNS.format(KNOWN, "'simple'")) == ({"3.3.3"}, set())


def test_a_stated_convention_is_the_only_one_asked_for(judge) -> None:
    for stated, failed in (("simple", set()), ("log", {"3.3.3"})):
        head = f"CONVENTIONS = {{'volatility': {stated!r}}}\n"
        assert judge(head + RETURNS.format(KNOWN, "'simple'")) == (failed, set())


def test_a_convention_that_a_silent_target_refuses_is_left_out_with_a_note(judge) -> None:
    refuses = EMA.format("right.demand(init == 'sma', 'unknown')")
    note = "ema states no ema_init and refuses first and adjusted, which was not tried"
    assert judge(refuses) == (set(), {note})
    assert judge(f"CONVENTIONS = {{'ema_init': 'first'}}\n{refuses}") == ({"3.3.2"}, set())


def test_one_that_refuses_all_is_wrong(judge) -> None:
    assert judge(RETURNS.format("raise ValueError", "kind")) == ({"3.3.3"}, set())


@pytest.mark.parametrize("name", FIXED)
def test_one_that_cannot_be_asked_is_held_against_the_one_that_it_fits(judge, name: str) -> None:
    assert judge(FIXED[name]) == (set(), {NOTES[name]})


def test_one_that_cannot_be_asked_and_states_it_is_held_against_that(judge) -> None:
    assert judge(f"CONVENTIONS = {{'volatility': 'simple'}}\n{FIXED['returns']}") == (set(), set())
    assert judge(f"CONVENTIONS = {{'volatility': 'log'}}\n{FIXED['returns']}") == ({"3.3.3"}, set())


def test_one_that_fits_none_is_held_against_the_contract_s_own(judge) -> None:
    held = "returns takes no kind and states no volatility: it was held against log"
    note = f"{held}, the contract's own, since it fits none"
    assert judge("def returns(prices): return [2 * r for r in right.returns(prices, 'simple')]") == ({"3.3.3"}, {note})


def test_what_a_target_has_no_place_for_is_not_tried(judge) -> None:
    assert judge("def fee(price, qty, rate): return right.fee(price, qty, rate)") == (set(), set())
    inverse = "def fee(price, qty, rate): return right.fee(price, qty, rate, 'inverse')"
    assert judge(inverse) == ({"1.3.3"}, set())
