"""What is particular to trade signs: zero ticks, the exact mid, equal times, the first trades."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.errors import Undefined
from mmverify.formulas import trade_sign
from mmverify.formulas.trade_sign import lee_ready, lee_ready_exact, trade_signs, trade_signs_exact

pytestmark = pytest.mark.usefixtures("either_way")

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=300)
PRICES = st.lists(st.integers(95, 105), max_size=25)
FIRST = st.sampled_from([-1, 0, 1])
TIMES = st.lists(st.integers(0, 12), max_size=15).map(sorted)


@pytest.mark.parametrize(
    ("prices", "first", "signs"),
    [
        ([], 0, []),
        ([100], 0, [0]),
        ([100], 1, [1]),
        ([100, 100, 100], -1, [-1, -1, -1]),
        ([100, 101, 101, 100, 100, 100, 101], 0, [0, 1, 1, -1, -1, -1, 1]),
        ([100, 100, 99, 99], 1, [1, 1, -1, -1]),
        ([100, 101, 100, 101], 0, [0, 1, -1, 1]),
    ],
)
def test_tick_rule_worked_by_hand(prices: list[int], first: int, signs: list[int]) -> None:
    assert trade_signs_exact(prices, first) == signs
    assert trade_signs(prices, first).tolist() == signs


def test_floats_change_where_their_decimals_do() -> None:
    assert trade_signs_exact([0.3, "0.3", 0.1 + 0.2], 0) == [0, 0, 1]


# One quote of 100 bid, 102 asked at 10; a second, far above, at 20.
QUOTES = {"quote_ts": [10, 20], "bids": [100, 200], "asks": [102, 202]}


@pytest.mark.parametrize(
    ("trades", "signs"),
    [
        ([(15, 102)], [1]),  # at the ask
        ([(15, 100)], [-1]),
        ([(15, 103), (15, 99)], [1, -1]),  # outside the spread
        ([(15, 101)], [0]),  # at the mid, no price before
        ([(5, 101)], [0]),  # before any quote
        ([(10, 102)], [0]),  # a quote of the same instant is not in force yet
        ([(11, 102)], [1]),
        ([(20, 102)], [1]),  # still the first quote: 102 is far below the second
        ([(21, 102)], [-1]),
        ([(5, 100), (5, 101), (5, 101), (5, 99)], [0, 1, 1, -1]),  # the tick rule before the first quote
        ([(5, 100), (15, 101)], [0, 1]),  # at the mid: up from 100
        ([(5, 103), (15, 101)], [0, -1]),
        ([(15, 102), (15, 101)], [1, -1]),  # the tick rule looks at trades that the quote has signed, too
        ([(15, 101), (15, 101)], [0, 0]),
        ([(15, 100), (15, 101), (15, 101)], [-1, 1, 1]),
        ([(5, 100), (25, 201)], [0, 1]),
        ([], []),
    ],
)
def test_lee_ready_worked_by_hand(trades: list[tuple[int, int]], signs: list[int]) -> None:
    prices, times = [price for _, price in trades], [ts for ts, _ in trades]
    assert lee_ready_exact(prices, times, **QUOTES) == signs
    assert lee_ready(prices, times, **QUOTES).tolist() == signs


def test_of_quotes_of_one_time_the_last_is_in_force() -> None:
    # 105 is above the mid of 100/102 and below that of 108/110
    assert lee_ready_exact([105], [11], [10, 10], [100, 108], [102, 110]) == [-1]
    assert lee_ready([105], [11], [10, 10], [100, 108], [102, 110]).tolist() == [-1]
    assert lee_ready([105], [11], [10, 10], [108, 100], [110, 102]).tolist() == [1]


def test_locked_and_crossed_quotes_have_a_mid() -> None:
    # locked at 100; crossed 103/101, mid 102
    for bids, asks, price, sign in (([100], [100], 101, 1), ([100], [100], 100, 0), ([103], [101], 101, -1)):
        assert lee_ready_exact([price], [5], [1], bids, asks) == [sign]
        assert lee_ready([price], [5], [1], bids, asks).tolist() == [sign]


def test_the_mid_of_decimals_is_exact() -> None:
    # (0.1 + 0.5)/2 = 0.3; in floats 0.1 + 0.5 = 0.6 and 2 x 0.3 = 0.6, but as binary fractions they are apart
    assert Fraction(0.1) + Fraction(0.5) != 2 * Fraction(0.3)
    assert lee_ready_exact([0.3], [5], [1], [0.1], [0.5]) == [0]
    # (0.1 + 0.7)/2 = 0.4, where floats have 0.1 + 0.7 = 0.7999999999999999
    assert 0.1 + 0.7 < 2 * 0.4
    assert lee_ready_exact([0.4], [5], [1], [0.1], [0.7]) == [0]
    # half a tick on either side of a mid between ticks: 2 x 100 = 200 < 201, 2 x 101 = 202 > 201
    assert lee_ready([100, 101], [5, 5], [1], [100], [101]).tolist() == [-1, 1]


def test_prices_beyond_int64_do_not_wrap() -> None:
    high = 2**62
    assert lee_ready([high, high + 2], [5, 5], [1], [high], [high + 2]).tolist() == [-1, 1]
    assert lee_ready([10**30, 10**30 + 2], [5, 5], [1], [10**30], [10**30 + 2]).tolist() == [-1, 1]


@REPEATABLE
@given(PRICES, FIRST)
def test_tick_kernel_equals_oracle(prices: list[int], first: int) -> None:
    assert trade_signs(prices, first).tolist() == trade_signs_exact(prices, first)


@st.composite
def tapes(draw: st.DrawFn) -> dict[str, list[int]]:
    trade_ts, quote_ts = draw(TIMES), draw(TIMES)
    price = st.integers(95, 105)

    def column(size: int) -> list[int]:
        return draw(st.lists(price, min_size=size, max_size=size))

    return {
        "trade_prices": column(len(trade_ts)),
        "trade_ts": trade_ts,
        "quote_ts": quote_ts,
        "bids": column(len(quote_ts)),
        "asks": column(len(quote_ts)),
    }


@REPEATABLE
@given(tapes())
def test_lee_ready_kernel_equals_oracle(tape: dict[str, list[int]]) -> None:
    assert lee_ready(**tape).tolist() == lee_ready_exact(**tape)


@REPEATABLE
@given(tapes(), st.integers(1, 1000), st.integers(-(10**18), 10**18))
def test_signs_depend_on_neither_scale_nor_epoch(tape: dict[str, list[int]], by: int, shift: int) -> None:
    signs = lee_ready_exact(**tape)
    moved = {
        key: [value + shift for value in row] if key.endswith("_ts") else [Fraction(value, by) for value in row]
        for key, row in tape.items()
    }
    assert lee_ready_exact(**moved) == signs
    assert trade_signs_exact(moved["trade_prices"], 0) == trade_signs_exact(tape["trade_prices"], 0)


@REPEATABLE
@given(tapes())
def test_mirrored_prices_turn_every_sign(tape: dict[str, list[int]]) -> None:
    signs = lee_ready_exact(**tape)
    prices, bids, asks = ([200 - price for price in tape[key]] for key in ("trade_prices", "bids", "asks"))
    assert lee_ready_exact(prices, tape["trade_ts"], tape["quote_ts"], asks, bids) == [-sign for sign in signs]
    turned = [-sign for sign in trade_signs_exact(tape["trade_prices"], 1)]
    assert trade_signs_exact(prices, -1) == turned


@REPEATABLE
@given(tapes(), st.integers(0, 15))
def test_a_sign_does_not_change_with_what_comes_later(tape: dict[str, list[int]], cut: int) -> None:
    signs = lee_ready_exact(**tape)
    prices, times = tape["trade_prices"][:cut], tape["trade_ts"][:cut]
    end = times[-1] if times else 0
    known = sum(ts < end for ts in tape["quote_ts"])
    quotes = (tape[key][:known] for key in ("quote_ts", "bids", "asks"))
    assert lee_ready_exact(prices, times, *quotes) == signs[:cut]


def test_kernels_want_rows() -> None:
    with pytest.raises(Undefined):
        trade_signs([[1, 2], [3, 4]], 0)
    with pytest.raises(Undefined):
        lee_ready(np.array([[1]]), np.array([[1]]), [], [], [])


def test_a_price_of_one_tick_is_a_price() -> None:
    assert trade_signs([1, 2, 1], 0).tolist() == [0, 1, -1]
    assert lee_ready([1, 2], [5, 5], [0], [1], [1]).tolist() == [0, 1]  # a locked quote of 1: its mid is 1


def test_signs_are_int64_whatever_type_the_first_has() -> None:
    signs = trade_signs([5, 5, 4], np.int8(1))
    assert (signs.dtype, signs.tolist()) == (np.int64, [1, 1, -1])


@REPEATABLE
@given(tapes(), st.integers(1, 4))
def test_trades_a_few_at_a_time_have_the_same_signs(tape: dict[str, list[int]], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trade_sign, "_CHUNK", chunk)
        assert lee_ready(**tape).tolist() == lee_ready_exact(**tape)


@pytest.mark.parametrize("column", ["trade_ts", "quote_ts", "trade_prices", "bids", "asks"])
@pytest.mark.parametrize("place", range(7))
def test_what_is_undefined_is_found_wherever_it_stands(
    column: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_sign, "_CHUNK", 2)
    tape = {"trade_ts": [1, 3, 5, 7, 9, 11, 13], "quote_ts": [2, 4, 6, 8, 20, 30, 40]}
    tape |= dict.fromkeys(("trade_prices", "bids", "asks"), [100] * 7)
    wrong = tape[column].copy()
    wrong[place] = wrong[place] + 100 if column.endswith("_ts") and place == 0 else 0
    with pytest.raises(Undefined):
        lee_ready(**tape | {column: wrong})


def test_many_trades_have_the_signs_of_the_oracle() -> None:
    rng = np.random.default_rng(7)
    count = 3 * trade_sign._BLOCK
    bids = rng.integers(95, 105, 2 * count)
    tape = {
        "trade_prices": rng.integers(95, 106, count), "trade_ts": np.cumsum(rng.integers(0, 30, count)),
        "quote_ts": np.cumsum(rng.integers(0, 2, 2 * count) * rng.integers(0, 30, 2 * count)) + 500,
        "bids": bids, "asks": bids + rng.integers(0, 3, 2 * count),
    }  # fmt: skip
    assert lee_ready(**tape).tolist() == lee_ready_exact(**{key: row.tolist() for key, row in tape.items()})


@pytest.mark.parametrize(
    ("prices", "signs"),
    [
        ([100, 101, 101, 101, 101, 101], [0, 1, 1, 1, 1, 1]),
        ([100, 101, 101, 101, 102, 101], [0, 1, 1, 1, 1, -1]),
        ([101, 100, 100, 100, 99, 100], [0, -1, -1, -1, -1, 1]),
        ([100, 100, 100, 100, 100, 99], [0, 0, 0, 0, 0, -1]),
        ([101, 100, 100, 100, 100, 100, 100, 101], [0, -1, -1, -1, -1, -1, -1, 1]),
    ],
)
def test_the_last_change_may_be_long_ago(prices: list[int], signs: list[int]) -> None:
    times = list(range(len(prices)))
    assert lee_ready_exact(prices, times, [], [], []) == signs
    found = lee_ready(prices, times, [], [], [])
    assert (found.dtype, found.tolist()) == (np.int64, signs)


def test_a_loop_leaves_nothing_to_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_sign, "compiled", lambda loop, rows: loop)
    monkeypatch.setattr(trade_sign, "_CHUNK", 0)
    # four quotes and one, the first trade at the mid, equal times, and a price of one tick
    quotes = [0, 1, 1, 2, 6], [1, 1, 2, 3, 9], [3, 3, 4, 3, 9]
    assert lee_ready([2, 3, 2, 4, 1], [1, 2, 2, 3, 7], *quotes).tolist() == [0, 1, -1, 1, -1]


@pytest.mark.parametrize("count", [2, 3])
def test_the_last_two_may_be_out_of_order(count: int) -> None:
    rising, falling, ones = list(range(count)), [*range(1, count), 0], [1] * count
    assert lee_ready(ones, rising, rising, ones, ones).tolist() == [0] * count
    for trade_ts, quote_ts in ((falling, rising), (rising, falling)):
        with pytest.raises(Undefined):
            lee_ready(ones, trade_ts, quote_ts, ones, ones)


def test_times_of_any_integer_type_are_one_time() -> None:
    high = 2**53 + 1  # as float64 it is 2**53
    times = np.array([high], dtype=np.uint64)
    assert lee_ready([102], times, np.array([high], dtype=np.int64), [100], [102]).tolist() == [0]
    assert lee_ready([102], times, np.array([high - 1], dtype=np.int64), [100], [102]).tolist() == [1]
