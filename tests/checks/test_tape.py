"""The trades of a symbol as a bot may have seen them, beside sums over all of them."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from mmverify.checks.exact import total
from mmverify.checks.known import Timeline
from mmverify.checks.tape import Tape


def tape(draw: Random, count: int, late: int, largest: int) -> Tape:
    """Draw trades, each sent 10 ns after the one before; where `late` is not 0 some are overtaken."""
    sent = [10 * n for n in range(count)]
    come = [ts + 1 + draw.randrange(late + 1) for ts in sent]
    rows = sorted(range(count), key=lambda row: come[row])
    rank = np.empty(count, dtype=np.int64)
    rank[np.array(rows, dtype=np.int64)] = np.arange(count)
    drawn = [[draw.randrange(1, largest) for _ in range(count)] for _ in range(2)]
    prices, qtys = (np.array(column, dtype=np.int64) for column in drawn)
    arrived = Timeline(np.array(rows, dtype=np.int64), np.sort(np.array(come, dtype=np.int64)), 0, 0)
    return Tape(np.arange(count), np.array(sent, dtype=np.int64), arrived, rank, prices, qtys, 2, 3, 0)


@pytest.mark.parametrize("largest", [1000, 2**40, 2**62])
@pytest.mark.parametrize("late", [0, 35])
@pytest.mark.parametrize("count", [0, 1, 64, 65, 300])
def test_a_window_holds_what_is_in_it_and_had_arrived(count: int, late: int, largest: int) -> None:
    draw = Random(count + late)
    held = tape(draw, count, late, largest)
    ends = (min(held.prices, default=0), max(held.prices, default=0))
    assert held.range == pytest.approx([int(price) / 100 for price in ends], rel=1e-15)
    for _ in range(40):
        low, high = sorted((draw.randrange(count + 1), draw.randrange(count + 1)))
        cut = draw.randrange(count + 1)
        places = [place for place in range(low, high) if held.rank[place] < cut]
        qtys = [int(held.qtys[place]) for place in places]
        turnover = sum(int(held.prices[place]) * qty for place, qty in zip(places, qtys, strict=True))
        assert held.places(low, high, cut).tolist() == places
        assert held.sums(low, high, cut) == (sum(qtys), turnover)
        prices = [int(held.prices[place]) / 100 for place in places]
        assert held.values(low, high, cut).tolist() == pytest.approx(prices, rel=1e-15)
        assert held.volume(low, high, cut) == Fraction(sum(qtys), 1000)


def test_a_price_of_0_is_not_of_the_range() -> None:
    held = tape(Random(1), 3, 0, 10)
    for prices, found in (([0, 250, 100], (1.0, 2.5)), ([0, 0, 0], (0.0, 0.0))):
        held.prices[:] = prices
        held.__dict__.pop("range", None)
        assert held.range == found


@pytest.mark.parametrize("ints", [[], [5, -7], [2**63 - 1] * 5, [-(2**63)] * 3 + [1], [2**63 - 1, -(2**63), 3]])
def test_a_total_is_exact(ints: list[int]) -> None:
    assert total(np.array(ints, dtype=np.int64)) == total(np.array(ints, dtype=object)) == sum(ints)
