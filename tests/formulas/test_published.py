"""The formulas against examples that others published; each line of published.jsonl names its source."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import pytest

from mmverify.errors import Undefined
from mmverify.formulas import formulas
from mmverify.formulas.convert import convert_exact
from mmverify.formulas.drawdown import drawdown_exact
from mmverify.formulas.ema import ema_last
from mmverify.formulas.fee import fee_exact
from mmverify.formulas.liquidation import liquidation_price_exact
from mmverify.formulas.pnl import notional_exact, position_exact, unrealized_pnl_exact
from mmverify.formulas.quote import quote_exact
from mmverify.formulas.returns import returns_exact
from mmverify.formulas.rounding import as_printed, round_price_exact
from mmverify.replay.lots import match

LINES = [json.loads(line) for line in (Path(__file__).parent / "published.jsonl").read_text().splitlines()]
FORMULAS = formulas()


def wilder(values: list[str], *, alpha: str, init: str, n: int) -> list[float]:
    prices = [float(value) for value in values]
    ends = range(n, len(prices) + 1)
    return [ema_last(prices[:end], alpha=float(alpha), init=init, n=n) for end in ends]


def net_realized(fills: list[list[str]], fee_rate: str) -> dict[str, list[Any]]:
    states = position_exact([tuple(fill) for fill in fills], cost_basis="average", kind="linear", multiplier=1)
    fees = [fee_exact(price, qty, fee_rate, kind="linear", multiplier=1) for _, price, qty in fills]
    return {
        "qty": [state.qty for state in states[1:]],
        "avg_px": [state.avg_px for state in states[1:]],
        "realized": [state.realized - sum(fees[: number + 1]) for number, state in enumerate(states)][1:],
    }


def avg_px_inverse(fills: list[list[str]]) -> Fraction | None:
    states = position_exact([tuple(fill) for fill in fills], cost_basis="average", kind="inverse", multiplier=1)
    return states[-1].avg_px


def realized_volatility(prices: list[str]) -> float:
    return math.sqrt(sum(change * change for change in returns_exact(prices, kind="log")))


def base_currency_fee(side: str, qty: str, fee: str) -> Fraction:
    signed = {"buy": 1, "sell": -1}[side] * int(Fraction(qty) * 1000)
    running = match([1, 1], [signed, -int(Fraction(fee) * 1000)], cost_basis="fifo")
    return Fraction(running.position[-1], 1000)


def fee_third_asset(
    price: str, qty: str, rate: str, flat: list[list[str]], currency: str, rates: dict[tuple[str, str], str]
) -> Fraction:
    share = fee_exact(price, qty, rate, kind="spot", multiplier=1)
    return share + sum(convert_exact(amount, asset, currency, rates) for amount, asset in flat)


def fill_aggregation(prices: list[str], qtys: list[str]) -> dict[str, Any]:
    values = [notional_exact(price, qty, kind="spot", multiplier=1) for price, qty in zip(prices, qtys, strict=True)]
    return {"cum_qty": match([1] * len(qtys), map(int, qtys), cost_basis="fifo").position[-1], "notional": sum(values)}


def margin_check(qty: str, avg_px: str, margin: str, maintenance_rate: str, mark: str) -> dict[str, Any]:
    contract = {"kind": "linear", "multiplier": 1}
    unrealized = unrealized_pnl_exact(qty, avg_px, mark, **contract)
    price = liquidation_price_exact(
        qty, avg_px, margin, maintenance_rate, **contract, maintenance_amount=0, maintenance_at="entry"
    )
    left = Fraction(margin) + unrealized
    return {"unrealized": unrealized, "remaining_margin": left, "liquidated": int(Fraction(mark) <= price)}


def max_drawdown(equity: list[str | Fraction]) -> Fraction:
    return max(drawdown_exact(equity))


def max_drawdown_of_returns(returns: list[str]) -> Fraction:
    return max_drawdown(list(accumulate((1 + Fraction(change) for change in returns), mul, initial=Fraction(1))))


def quote_around(reservation: str, spread: str, tick: str) -> list[Fraction]:
    return list(quote_exact(reservation, Fraction(spread) / 2, 0, tick))


def round_down(value: str, tick: str) -> Fraction:
    return round_price_exact(value, tick, "buy")


def round_half_up(value: str | float, tick: str | float) -> Fraction:
    down, up = (round_price_exact(value, tick, side) for side in ("buy", "sell"))
    return down if as_printed(value) - down < up - as_printed(value) else up


def ticks_in(value: float, tick: float) -> Fraction:
    return round_price_exact(value, tick, "buy") / as_printed(tick)


COMPOSED: dict[str, Callable[..., Any]] = {
    "ema_wilder": wilder,
    "net_realized": net_realized,
    "avg_px_inverse": avg_px_inverse,
    "realized_volatility": realized_volatility,
    "position_base_currency_fee": base_currency_fee,
    "fee_third_asset": fee_third_asset,
    "fill_aggregation": fill_aggregation,
    "margin_check": margin_check,
    "max_drawdown": max_drawdown,
    "max_drawdown_of_returns": max_drawdown_of_returns,
    "quote_around": quote_around,
    "round_down": round_down,
    "round_half_up": round_half_up,
    "ticks_in": ticks_in,
}
#: Kernels that take what the oracle takes; the others take floats.
AS_GIVEN = {"realized_pnl", "lee_ready", "parse_ts"}


def inputs(line: dict[str, Any]) -> dict[str, Any]:
    given = dict(line["inputs"])
    if "rates" in given:
        given["rates"] = {tuple(pair.split("/")): rate for pair, rate in given["rates"].items()}
    return given


def to_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [to_floats(each) for each in value]
    if isinstance(value, dict):
        return {key: to_floats(each) for key, each in value.items()}
    try:
        return float(Fraction(value))
    except ValueError:
        return value


def assert_within(value: Any, published: Any, tolerance: Fraction) -> None:
    if isinstance(published, dict):
        for key, each in published.items():
            assert_within(value[key], each, tolerance)
    elif isinstance(published, list):
        assert len(value) == len(published)
        for one, each in zip(value, published, strict=True):
            assert_within(one, each, tolerance)
    else:
        assert abs(Fraction(value) - Fraction(published)) <= tolerance


def test_every_line_says_where_it_is_from_and_what_became_of_it() -> None:
    assert len({line["id"] for line in LINES}) == len(LINES)
    for line in LINES:
        assert line["source"]
        assert ("reason" in line) or line["verdict"] in ("confirmed", "rule")


@pytest.mark.parametrize("line", [pytest.param(each, id=each["id"]) for each in LINES if "reason" not in each])
def test_published_value(line: dict[str, Any]) -> None:
    tolerance = Fraction(line["tolerance"])
    if line["formula"] in COMPOSED:
        assert_within(COMPOSED[line["formula"]](**inputs(line)), line["expected"], tolerance)
        return
    formula = FORMULAS[line["formula"]]
    given = inputs(line)
    rough = given if line["formula"] in AS_GIVEN else to_floats(given)
    if line["expected"] is None:
        with pytest.raises(Undefined):
            formula.exact(**given)
        with pytest.raises(Undefined):
            formula.fast(**rough)
        return
    exact, fast = formula.exact(**given), formula.fast(**rough)
    if isinstance(exact, list) and not isinstance(line["expected"], list):
        exact, fast = exact[-1], fast[-1]
    assert_within(exact, line["expected"], tolerance)
    for one, each in zip(
        fast if isinstance(line["expected"], list) else [fast],
        line["expected"] if isinstance(line["expected"], list) else [line["expected"]],
        strict=True,
    ):
        assert_within(float(one), each, tolerance + abs(Fraction(each)) / 2**50)
