"""The books against a bookkeeper that starts anew at every report, and the screens of 1.3 against judging every row."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from checks.hand_1_3 import Row, fills, look, market, write
from checks.seeded import simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.checks import claims, exact, s1_3_pnl, sums
from mmverify.checks.books import Ledger, Mistake, ledger
from mmverify.defects import find
from mmverify.numeric import Mask
from mmverify.session import open_session

Lots = list[tuple[Fraction, Fraction]]
SIDES = st.sampled_from(["buy", "sell"])
PRICES, SIZES, PLACES = st.integers(40, 160), st.integers(1, 9), st.integers(0, 30)
REPORTS = st.lists(st.tuples(st.sampled_from("ttttttcbr"), SIDES, PRICES, SIZES, PLACES), min_size=1, max_size=30)
NOISE = Fraction(1, 10**20)  # an average cost and a reciprocal are rounded far below this


def recorded(reports: list[tuple[str, str, int, int, int]]) -> list[Row]:
    """Write random reports as fills: trades, and corrections, busts and repeats of one of the reports before."""
    rows: list[Row] = []
    for n, (kind, side, price, size, place) in enumerate(reports):
        row = fills(f"{n + 1} BTC-USD e{n} {side} {price} {size} maker 0.{size:04} BTC")[0]
        trades = [each for each in rows if each["kind"] == "trade"]
        if kind != "t" and trades:
            old = trades[place % len(trades)]
            if kind == "r":
                row = old | {"ts_local": row["ts_local"]}
            else:
                row |= {"side": old["side"], "correction_of": old["exec_id"]}
                row["kind"] = {"c": "correction", "b": "bust"}[kind]
        rows.append(row)
    return rows


def executions(rows: list[Row]) -> list[tuple[Fraction, Fraction]]:
    """Return signed quantity and price of each execution, once, as the last of these reports leaves it."""
    held: dict[str, tuple[Fraction, Fraction]] = {}
    seen: set[str] = set()
    for row in rows:
        if row["exec_id"] not in seen:
            seen.add(row["exec_id"])
            size = Fraction(row["qty"]) * (1 if row["side"] == "buy" else -1) * (row["kind"] != "bust")
            held[row["correction_of"] or row["exec_id"]] = size, Fraction(row["price"])
    return list(held.values())


def booked(rows: list[Row], kind: str, basis: str) -> tuple[Fraction, Fraction]:
    """Book reports lot by lot from the first: position and realized P&L, of a multiplier of 1."""
    lots: Lots = []
    realized = Fraction(0)
    for left, price in executions(rows):
        value = -1 / price if kind == "inverse" else price
        while left and lots and lots[0][0] * left < 0:
            size, entry = lots.pop(-1 if basis == "lifo" else 0)
            closed = min(abs(size), abs(left)) * (1 if size > 0 else -1)
            realized += closed * (value - entry)
            left += closed
            if size != closed:
                lots.insert(len(lots) if basis == "lifo" else 0, (size - closed, entry))
        if left:
            lots.append((left, value))
        if basis == "average" and len(lots) > 1:
            held = sum((size for size, _ in lots), Fraction(0))
            lots = [(held, sum((size * entry for size, entry in lots), Fraction(0)) / held)]
    return sum((size for size, _ in lots), Fraction(0)), realized


def books(rows: list[Row], kind: str, basis: str, mistake: Mistake | None = None) -> Ledger:
    with TemporaryDirectory() as folder:
        tables = {"instruments": market("BTC-USD", kind=kind, multiplier="1", settle="BTC"), "fills": rows}
        session = open_session(write(Path(folder), tables, cost_basis=basis))
        return ledger(session, "BTC-USD", mistake) if mistake else ledger(session, "BTC-USD")


@pytest.mark.hypothesis
@pytest.mark.parametrize("basis", ["fifo", "lifo", "average"])
@pytest.mark.parametrize("kind", ["linear", "inverse"])
@settings(max_examples=60)
@given(reports=REPORTS)
def test_after_every_report_the_books_are_those_of_a_bookkeeper_who_starts_anew(
    kind: str, basis: str, reports: list[tuple[str, str, int, int, int]]
) -> None:
    rows = recorded(reports)
    book = books(rows, kind, basis)
    for n in range(len(rows) + 1):
        position, realized = booked(rows[:n], kind, basis)
        assert book.qty_at(n) == position
        assert abs(book.realized_at(n) - realized) < NOISE
        paid = {row["exec_id"]: Fraction(row["fee"]) for row in reversed(rows[:n])}
        assert book.fees_at(n) == sum(paid.values(), Fraction(0))


CORRECTED = {
    # 2 at 10 and 2 at 12, 3 sold at 15: 2 x 5 + 3 = 13; the first 2 were at 11: 2 x 4 + 3 = 11; 1 sold at 14: + 2
    "while its lot is open": (
        """
        1 BTC-USD a buy  10 2 maker 0 BTC
        2 BTC-USD b buy  12 2 maker 0 BTC
        3 BTC-USD c sell 15 3 maker 0 BTC
        4 BTC-USD d buy  11 2 maker 0 BTC kind=correction correction_of=a
        5 BTC-USD e sell 14 1 maker 0 BTC
        """,
        [0, 2, 4, 1, 1, 0], [0, 0, 0, 13, 11, 13],
    ),
    # 2 at 10 sold at 15, 10, and 1 more: short; the first 2 were at 11: 8; 1 bought at 14: + 1
    "once the position has turned": (
        """
        1 BTC-USD a buy  10 2 maker 0 BTC
        2 BTC-USD b sell 15 3 maker 0 BTC
        3 BTC-USD c buy  11 2 maker 0 BTC kind=correction correction_of=a
        4 BTC-USD d buy  14 1 maker 0 BTC
        """,
        [0, 2, -1, -1, 0], [0, 0, 10, 8, 9],
    ),
    # 1 at 10 sold at 15, 5; 1 at 20 sold at 21, 6; the first was no trade: 1 short at 15 bought at 20, -5; sold at 21
    "taken back long after it was closed": (
        """
        1 BTC-USD a buy  10 1 maker 0 BTC
        2 BTC-USD b sell 15 1 maker 0 BTC
        3 BTC-USD c buy  20 1 maker 0 BTC
        4 BTC-USD d sell 21 1 maker 0 BTC
        5 BTC-USD e buy  10 1 maker 0 BTC kind=bust correction_of=a
        """,
        [0, 1, 0, 1, 0, -1], [0, 0, 5, 5, 6, -5],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CORRECTED)
def test_what_was_corrected_is_matched_as_if_it_had_always_been_so(case: str) -> None:
    text, position, realized = CORRECTED[case]
    book = books(fills(text), "linear", "fifo")
    assert [book.qty_at(n) for n in range(len(position))] == position
    assert [book.realized_at(n) for n in range(len(realized))] == realized


def test_an_orders_fills_are_averaged_by_quantity_or_barely() -> None:
    # (10 + 2 x 13) / 3 = 12, (10 + 13) / 2 = 11.5: sold at 14, 3 x 2 and 3 x 2.5; the order of one fill keeps its price
    rows = fills("""
        1 BTC-USD a buy  10 1 maker 0 BTC client_order_id=o
        2 BTC-USD b buy  13 2 maker 0 BTC client_order_id=o
        3 BTC-USD c sell 14 3 maker 0 BTC
    """)
    gained = {
        how: books(rows, "linear", "fifo", Mistake(order_average=how)).realized_at(3) for how in ("weighted", "bare")
    }
    assert gained == {"weighted": 6, "bare": Fraction(15, 2)}


@pytest.mark.parametrize(
    ("ints", "by", "product"),
    [([2**40, 3], 2**23, [2**63, 3 * 2**23]), ([0, 0], 10**30, [0, 0]), ([-5, 7], 3, [-15, 21])],
)
def test_a_product_that_int64_does_not_hold_is_exact(ints: list[int], by: int, product: list[int]) -> None:
    assert exact.times(np.array(ints), by).tolist() == product


def test_sums_that_int64_does_not_hold_are_exact() -> None:
    assert exact.running(np.array([2**62, 2**62, -1])).tolist() == [0, 2**62, 2**63, 2**63 - 1]
    assert exact.plus(np.array([2**62]), np.array([2**62])).tolist() == [2**63]


def test_a_column_reads_as_the_numbers_that_it_stands_for() -> None:
    column = exact.Column(np.array([1, -2, 3]), 10)
    assert (list(column), column[1], column[1:], len(column)) == ([10, -20, 30], -20, [-20, 30], 3)
    assert list(column.sums()) == [0, 10, -10, 20]
    assert column.same(exact.Column.of([10, -20, 30]))
    assert not column.same(exact.Column.of([10, -20, 31]))


def test_units_are_rounded_down_and_divided_row_by_row() -> None:
    # 7 x 2 / 3 = 4.66..., -7 x 2 / 3 = -4.66...; in hundredths
    out = exact.scaled([np.array([7, -7]), np.array([2, 2])], Fraction(1), 2, over=np.array([3, 3]))
    assert out.tolist() == [466, -467]


# --- the screens ------------------------------------------------------------------------------------------------------

CONVENTIONS = {
    "fifo": (11, None),
    "average": (12, {"cost_basis": "average", "unrealized_price": "mid", "realized": "net"}),
    "exit": (13, {"cost_basis": "lifo", "unrealized_price": "exit", "conversion": "fill"}),
}
MISTAKES = (
    "",
    "1.3.1-lots-matched-by-another-basis",
    "1.3.3-rebates-taken-as-costs",
    "1.3.5-currencies-added-unconverted",
)


def _never(column: Any, rows: Any, *other: Any) -> Mask:
    return np.zeros(len(rows), dtype=bool)


def _never_either(column: Any, rows: Any, *other: Any) -> tuple[Mask, Mask]:
    return _never(column, rows), _never(column, rows)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("screens")
    recordings, out = simulated(folder, CONVENTIONS), {}
    for name, recording in recordings.items():
        for mistake in MISTAKES:
            copy = recording.fresh()
            if mistake:
                find(mistake).plant(copy)
            copy.write(folder / f"{name}-{mistake}")
            out[f"{name}-{mistake}"] = folder / f"{name}-{mistake}"
    yield out


@pytest.mark.armed
def test_the_screens_change_nothing(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    screened = {name: look(folder, "1.3", "1.1.5") for name, folder in folders.items()}
    assert any(each.findings for each in screened.values())
    for module, name, blind in (
        (claims, "within", _never), (s1_3_pnl, "within", _never), (s1_3_pnl, "telling", _never_either),
        (sums, "telling", _never_either), (s1_3_pnl, "_NOISE", float("inf")),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, blind)
    for name, folder in folders.items():
        assert look(folder, "1.3", "1.1.5") == screened[name], name
