"""The replay in columns against dictionaries: prices and codes, snapshots, the depth."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest

from mmverify.replay.depth import NONE, best, looked_up, states
from mmverify.replay.tape import CHUNK, Grid, Tape, capped, renewed

pytestmark = pytest.mark.usefixtures("either_way")

Update = tuple[int, str, int, int]  # message, side, price, quantity


def tape(updates: Iterable[Update], steps: int) -> Tape:
    """Make a tape; each message is one update."""
    step, side, price, qty = zip(*updates, strict=True)
    is_ask, prices = np.array([each == "ask" for each in side]), np.array(price)
    grid, bounds = Grid.of(prices), np.searchsorted(step, np.arange(steps + 1))
    return Tape(grid, bounds, grid.codes(is_ask, prices), np.arange(len(step)), np.array(qty) > 0, bounds[1:])


def cut(patch: pytest.MonkeyPatch, chunk: int) -> None:
    """Take as many changes at a time, and look for the best among as few levels."""
    patch.setattr("mmverify.replay.tape.CHUNK", chunk)
    patch.setattr("mmverify.replay.depth.CHUNK", chunk)
    patch.setattr("mmverify.replay.depth._WINDOW", min(chunk, 4096))


def sides_of(made: Tape, levels: Any) -> tuple[set[int], set[int]]:
    codes = np.flatnonzero(levels)
    prices = made.grid.price(codes).tolist()
    return tuple(
        {p for code, p in zip(codes, prices, strict=True) if (code >= made.grid.span) == ask} for ask in (0, 1)
    )  # type: ignore[return-value]


class Kind(NamedTuple):
    """A kind of book."""

    name: str
    count: int
    low: int
    high: int
    factor: int = 1
    chunk: int = CHUNK


KINDS = [
    Kind("few prices", 3000, 1, 9),
    Kind("many chunks", 3000, 1, 30, chunk=8),
    Kind("long chunks", 6000, 1, 300, chunk=512),
    Kind("wider than 16 bits", 6000, 1, 3 * 10**6),
    Kind("wider than a grid", 3000, 1, 400, 10**12),
    Kind("beyond 64 bits", 1500, 1, 60, 10**30),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_best_price_and_level_is_that_of_the_dictionaries(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, kind.chunk)
    rng = Random(kind.name)
    steps = kind.count // 3
    at = sorted(rng.randrange(steps) for _ in range(kind.count))
    updates = [
        (step, rng.choice(("bid", "ask")), rng.randrange(kind.low, kind.high) * kind.factor, rng.choice((0, 0, 1, 4)))
        for step in at
    ]
    made = tape(updates, steps)
    found, stops = best(made), made.until(np.arange(steps))
    books: dict[str, set[int]] = {"bid": set(), "ask": set()}
    done = 0
    for step, levels in enumerate(states(made, stops)):
        for _, side, price, qty in updates[done : int(stops[step])]:
            (books[side].add if qty else books[side].discard)(price)
        done = int(stops[step])
        bid, ask = (
            None if code == NONE else int(made.grid.price(np.array([code]))[0]) for code in found[:, step].tolist()
        )
        assert (bid, ask) == (max(books["bid"], default=None), min(books["ask"], default=None))
        if step % 97 == 0:
            assert sides_of(made, levels) == (books["bid"], books["ask"])


def test_a_look_finds_levels_and_counts_them() -> None:
    updates = [(0, "bid", 10, 1), (0, "bid", 12, 1), (1, "ask", 15, 1), (2, "bid", 10, 0), (2, "ask", 14, 1)]
    made = tape(updates, 3)
    low, eleven, twelve = (int(made.grid.codes(np.array([False]), np.array([price]))[0]) for price in (10, 11, 12))
    nowhere, end = 2 * made.grid.span, made.grid.span
    spans = np.array([[0, 3, low, end, end, nowhere], [3, 5, eleven, end, end, nowhere], [5, 5, end, end, end, end]])
    found, counts = looked_up(
        made, made.until(np.array([0, 2, 2])), spans, np.array([low, twelve, nowhere, low, twelve])
    )
    assert found.tolist() == [1, 2, 0, 0, 2]
    assert counts.tolist() == [[2, 0], [1, 2], [0, 0]]


def test_the_best_price_may_move_far_and_often() -> None:
    far = [(step, "bid", 10**6, step % 2) for step in range(1, 40)]
    found = best(tape([(0, "bid", 1, 1), (0, "ask", 2 * 10**6, 1), *far], 40))
    assert found[0].tolist() == [0, *([10**6 - 1, 0] * 20)][:40]
    assert set(found[1].tolist()) == {2 * 10**6}  # behind as many bids, and the worst of all asks


def test_the_only_ask_may_have_the_highest_price_of_all() -> None:
    # prices 1 and 2: bids are 0 and 1, asks 2 (of price 2) and 3
    assert best(tape([(0, "bid", 1, 1), (1, "ask", 2, 1)], 2)).tolist() == [[0, 0], [NONE, 2]]


def test_what_stays_on_top_needs_no_change_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, 2)
    top = [(0, 12, 1), (0, 10, 1), (1, 11, 1), (1, 11, 0), (2, 11, 1), (2, 10, 0), (3, 12, 0), (3, 10, 1)]
    assert best(tape([(step, "bid", price, qty) for step, price, qty in top], 4))[0].tolist() == [2, 2, 2, 1]
    # asks are numbered from 12 down: 10 is 5
    low = [(0, "ask", 10, 1), (0, "ask", 12, 1), *[(step, "ask", 11, qty) for step in (1, 2, 3) for qty in (1, 0)]]
    assert best(tape(low, 4))[1].tolist() == [5, 5, 5, 5]
    # an ask of 12 is 3, which is no bid
    both = [(0, "ask", 12, 1), (0, "bid", 10, 1), *[(step, "bid", 11, qty) for step in (1, 2, 3) for qty in (1, 0)]]
    assert best(tape(both, 4)).tolist() == [[0, 0, 0, 0], [3, 3, 3, 3]]
    lowest = [(0, 10, 1), (0, 12, 0), (1, 11, 1), (1, 11, 0), (2, 12, 1), (2, 12, 0)]
    assert best(tape([(step, "bid", price, qty) for step, price, qty in lowest], 3))[0].tolist() == [0, 0, 0]


def test_messages_are_taken_some_changes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, 4)
    # 3, 2, 4, 1 and 2 changes: the 4th is of the second message, the 8th of the third
    steps = [0] * 3 + [1] * 2 + [2] * 4 + [3] + [4] * 2
    assert tape([(step, "bid", 10, 1) for step in steps], 5).stretches() == [(0, 2), (2, 3), (3, 5)]
    assert tape([(step, "bid", 10, 1) for step in [0, 0, *[1] * 10]], 2).stretches() == [(0, 2)]
    assert tape([(0, "bid", 10, 1)], 1).stretches() == [(0, 1)]


def test_codes_and_counts_have_their_types() -> None:
    made = tape([(0, "bid", 10, 1), (1, "ask", 12, 1)], 2)
    spans = np.array([[0, 1, 0, 3, 3, 6]])
    found, counts = looked_up(made, np.array([2]), spans, np.array([0]))
    levels = next(states(made, np.array([2])))
    assert (levels.dtype, levels.tolist()) == (np.int32, [1, 0, 0, 2, 0, 0, 0])
    assert (made.code.dtype, best(made).dtype, found.dtype, counts.dtype) == (np.int32, np.int32, np.int32, np.int64)
    assert (found.tolist(), counts.tolist()) == ([1], [[1, 1]])


@pytest.fixture
def only_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run loops as they are written, and let columns fail."""
    for module in ("tape", "depth"):
        monkeypatch.setattr(f"mmverify.replay.{module}.compiled", lambda loop, rows: loop)
    cut(monkeypatch, 0)
    monkeypatch.setattr("mmverify.replay.depth.states", None)


@pytest.mark.usefixtures("only_loops")
def test_loops_leave_nothing_to_the_columns() -> None:
    made = tape([(0, "bid", 10, 1), (1, "bid", 12, 1), (2, "bid", 12, 0), (3, "ask", 12, 1)], 4)
    assert best(made).tolist() == [[0, 2, 0, 0], [NONE, NONE, NONE, 3]]
    found, counts = looked_up(made, np.array([4]), np.array([[0, 2, 0, 3, 3, 6]]), np.array([0, 2]))
    assert (found.tolist(), counts.tolist()) == ([1, 0], [[1, 1]])


@pytest.mark.usefixtures("only_loops")
@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_loop_that_looks_at_too_many_levels_gives_up(side: str) -> None:
    # the best level goes 8 times, the next is 15 prices below: 120 looks; 22 changes and 16 prices allow 4 and 2 each
    worst, finest = (1, 16) if side == "bid" else (16, 1)
    moves = [(step, side, finest, step % 2) for step in range(1, 17)]
    enough = [*[(0, side, worst, 1)] * 5, *moves, (17, side, worst, 1)]
    codes = [0, *[15, 0] * 8, 0] if side == "bid" else [16, *[31, 16] * 8, 16]
    assert best(tape(enough, 18))[int(side == "ask")].tolist() == codes
    with pytest.raises(ZeroDivisionError):
        best(tape(enough[1:], 18))


def test_a_book_without_changes_has_no_prices() -> None:
    empty = np.empty(0, dtype=np.int32)
    nothing = np.zeros(4, dtype=np.int64)
    made = Tape(Grid.of(empty), nothing, empty, empty.astype(np.int64), empty > 0, nothing[1:])
    assert best(made).tolist() == [[NONE] * 3] * 2
    assert not next(states(made, np.array([0]))).any()
    assert not made.ends().size and capped(made, 1) is made


@pytest.mark.parametrize("factor", [1, 10**12])
def test_prices_between_those_of_the_grid(factor: int) -> None:
    grid = Grid.of(np.array([10, 11, 13]) * factor)
    prices = np.array([9, 10, 12, 14]) * factor
    assert grid.has(prices).tolist() == [False, True, factor == 1, False]
    both = np.array([False, True])
    # better than a bid of 12.5 is 13, than an ask of 12.5 are 11 and 10 (and 12 where every whole number is a price)
    floor, ceiling = np.array([12, 12]) * factor, np.array([13, 13]) * factor
    bid, ask = grid.better(both, floor, ceiling).tolist()
    assert grid.price(np.arange(bid, grid.span)).tolist() == [13 * factor]
    expected = [12, 11, 10] if factor == 1 else [11 * factor, 10 * factor]
    assert grid.price(np.arange(ask, 2 * grid.span)).tolist() == expected


def test_a_grid_has_all_prices_between_its_ends_while_they_are_not_too_many() -> None:
    most = 2**25
    whole = [np.array(each) for each in ([7], [10**9, 10**9 + 4], [3, most + 2])]
    assert [(each.base, each.span, each.listed) for each in map(Grid.of, whole)] == [
        (7, 1, None), (10**9, 5, None), (3, most, None)
    ]  # fmt: skip
    known = Grid.of(np.array([11, 12]), (10, 14))
    assert (known.base, known.span, known.listed) == (10, 5, None)
    for prices in (np.array([3, most + 3]), np.array([3, 5], dtype=object)):
        grid = Grid.of(prices)
        assert (grid.base, grid.span, list(grid.listed)) == (3, 2, prices.tolist())
    nothing = Grid.of(np.empty(0, dtype=np.int64))
    assert (nothing.base, nothing.span, nothing.listed) == (0, 1, None)


@pytest.mark.parametrize("dtype", [np.int64, object])
@pytest.mark.parametrize("far", [1, 10**12])
def test_ranks_count_the_prices_below(far: int, dtype: Any) -> None:
    # 9 and 10 have none below, 11 has 10, and what is above them all has all of them
    grid = Grid.of(np.array([10, 11, 11 + far]))
    ranks = grid.rank(np.array([9, 10, 11, 11 + far, 12 + far, 10**15], dtype=dtype))
    assert ranks.dtype == np.int64 and ranks.tolist() == [0, 0, 1, 2, 3, 3]


def columns_of(made: Tape) -> tuple[list[int], list[int], list[int], list[bool], list[int]]:
    return tuple(each.tolist() for each in (made.bounds, made.code, made.row, made.present, made.stops))  # type: ignore[return-value]


def test_each_snapshot_takes_back_what_was_sent_since_the_one_before() -> None:
    # prices 10, 11, 12: bids are 0, 1, 2; each of the three messages is a snapshot of one level
    made = renewed(tape([(0, "bid", 10, 1), (1, "bid", 11, 1), (2, "bid", 12, 1)], 3), np.arange(3), np.arange(3))
    assert columns_of(made) == (
        [0, 1, 3, 5], [0, 0, 1, 1, 2], [0, -1, 1, -1, 2], [True, False, True, False, True], [1, 3, 5]
    )  # fmt: skip
    assert made.present.dtype == bool and made.ends().tolist() == [True, False, True, False, True]


def test_of_many_changes_a_snapshot_takes_back_each_level_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmverify.replay.tape._FEW", 2)
    # prices 10 to 13: bids are 0 to 3, asks 4 (of 13) to 7; a snapshot before each of the last three messages
    made = tape(
        [(0, "bid", 12, 1), (0, "bid", 11, 1), (0, "bid", 12, 2), (1, "ask", 13, 1), (1, "bid", 11, 1),
         (1, "ask", 13, 0), (2, "bid", 10, 1), (2, "bid", 10, 2), (3, "bid", 11, 1)], 4,
    )  # fmt: skip
    after = renewed(made, np.array([3, 6, 8]), np.array([1, 2, 3]))
    assert after.code.tolist() == [2, 1, 2, 1, 2, 4, 1, 4, 1, 4, 0, 0, 0, 0, 1]
    assert after.bounds.tolist() == [0, 3, 8, 12, 15]


@pytest.mark.parametrize("size", [1, 3, 5000])
def test_a_snapshot_takes_the_book_before_it_away(size: int) -> None:
    old = [(0, "bid", 1 + n, 5) for n in range(size)] + [(1, "ask", size + 9, 5)]
    new = [(2, "bid", 2, 7), (2, "ask", size + 5, 7)]
    made = tape(old + new, 3)
    after = renewed(made, np.array([0, len(old)]), np.array([0, 2]))
    levels = [sides_of(after, each) for each in states(after, after.until(np.array([1, 2])))]
    # one array is yielded twice, so each is read before the next
    assert levels == [(set(range(1, size + 1)), {size + 9}), ({2}, {size + 5})]


def test_what_falls_below_the_depth_does_not_come_back() -> None:
    updates = [(0, "bid", 10, 1), (0, "bid", 11, 1), (1, "bid", 12, 1), (2, "bid", 12, 0), (3, "bid", 10, 2)]
    made = capped(tape(updates, 4), 2)
    seen = [sides_of(made, levels)[0] for levels in states(made, made.until(np.arange(4)))]
    assert seen == [{10, 11}, {11, 12}, {11}, {10, 11}]
    roomy = tape(updates, 4)
    assert capped(roomy, 3) is roomy


@pytest.mark.parametrize("chunk", [1, CHUNK])
def test_a_message_may_pass_the_depth_before_its_end(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, chunk)
    made = tape([(0, "ask", 5, 1), (1, "ask", 6, 1), (1, "ask", 5, 0)], 2)
    assert capped(made, 1) is made


@pytest.mark.parametrize("chunk", [2, 3, CHUNK])
@pytest.mark.parametrize("side", ["bid", "ask"])
@pytest.mark.parametrize(
    ("changes", "books"),
    [
        # at a depth of two: how far from the best each level is set or removed, and what there is after each change
        ([(2, 1), (1, 1), (0, 1)], [{2}, {1, 2}, {0, 1}]),
        ([(0, 1), (1, 1), (2, 1), (1, 0), (3, 1)], [{0}, {0, 1}, {0, 1}, {0}, {0, 3}]),
        ([(3, 1), (2, 1), (2, 0), (1, 1), (0, 1)], [{3}, {2, 3}, {3}, {1, 3}, {0, 1}]),
        # 3 drops out, 2 goes, 3 is set again and drops out once more
        ([(3, 1), (2, 1), (1, 1), (2, 0), (3, 1), (0, 1)], [{3}, {2, 3}, {1, 2}, {1}, {1, 3}, {0, 1}]),
        # a level set or removed twice counts once
        ([(1, 1), (1, 1), (0, 1), (0, 0), (0, 0), (2, 1), (3, 1)], [{1}, {1}, {0, 1}, {1}, {1}, {1, 2}, {1, 2}]),
    ],
)
def test_the_depth_level_by_level(
    changes: list[tuple[int, int]], books: list[set[int]], side: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(monkeypatch, chunk)
    prices = [13 - far if side == "bid" else 10 + far for far, _ in changes]
    updates = [(step, side, price, qty) for step, (price, (_, qty)) in enumerate(zip(prices, changes, strict=True))]
    made = capped(tape(updates, len(changes)), 2)
    for levels, far in zip(states(made, made.until(np.arange(len(changes)))), books, strict=True):
        expected = {13 - each if side == "bid" else 10 + each for each in far}
        assert sides_of(made, levels)[side == "ask"] == expected
