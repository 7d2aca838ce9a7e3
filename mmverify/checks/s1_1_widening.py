"""Quoted spreads against their least, their volatility, the fees, and the calmer half of the session (1.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked
from mmverify.checks.books import instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.s1_1_sent import in_force, ticks_of
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session, Table

BPS = Fraction(1, 10_000)
_SHOWN = 2
_ENOUGH = 30  # quotes of either group
_MARGIN = 1e-12  # of the fair value: what a float64 screen may be off by
_UNSTATED = "neither vol_multiplier nor min_spread_bps is stated, so no spread is judged"


@dataclass(frozen=True, eq=False)
class Spreads:
    """The quotes with both sides and a fair value above 0.

    Parameters
    ----------
    table : Table
        The table `quotes`.
    rows : ndarray of int64
    spread, fair : ndarray of float64
        Of each of the rows, for screening.
    """

    table: Table
    rows: Rows
    spread: NDArray[np.float64]
    fair: NDArray[np.float64]

    def exact(self, row: int) -> tuple[Fraction, Fraction]:
        """Return spread and fair value of a row."""
        bid, ask, fair = (self.table.decimals(name).fraction(row) for name in ("bid", "ask", "fair_value"))
        return ask - bid, fair


def _is_stated(session: Session) -> bool:
    return any(session.number("quoting", name) is not None for name in ("vol_multiplier", "min_spread_bps"))


def _spreads(session: Session) -> Spreads:
    table = session.table("quotes", "ts_local", "symbol", "fair_value", "bid", "ask", "bid_qty", "ask_qty",
                          "volatility", "state")  # fmt: skip
    bid, ask, fair = (table.decimals(name) for name in ("bid", "ask", "fair_value"))
    rows = np.flatnonzero(bid.known & ask.known & fair.known & np.asarray(np.greater(fair.ints, 0)))
    scale = max(bid.scale, ask.scale)
    spread = (ask.at_scale(scale)[rows] - bid.at_scale(scale)[rows]).astype(np.float64) / 10.0**scale
    return Spreads(table, rows, spread, fair.floats()[rows])


def _below(
    session: Session, spreads: Spreads, least: NDArray[np.float64], exact: Callable[[int], Fraction],
    tolerance: Callable[[int], Fraction], line: Callable[[int], str], what: str, loss: str, cause: str = "",
) -> tuple[Breach, ...]:  # fmt: skip
    """Return the quotes whose spread is below their least, `exact` of a row; one breach a symbol."""
    table = spreads.table
    with np.errstate(invalid="ignore"):
        near = spreads.rows[spreads.spread < least + _MARGIN * spreads.fair].tolist()
    wrong = [row for row in near if spreads.exact(row)[0] < exact(row) - tolerance(row)]
    symbols, found = table.words("symbol"), []
    sizes = [table.decimals(name) for name in ("bid_qty", "ask_qty")]
    for symbol in dict.fromkeys(symbols.text(row) for row in wrong):
        rows = [row for row in wrong if symbols.text(row) == symbol]
        instrument, first = instruments(session)[symbol], rows[0]

        def short(row: int) -> Fraction:
            (spread, fair), known = spreads.exact(row), [size.fraction(row) for size in sizes if size.known[row]]
            due = notional(instrument, fair, min(known)) if known else Fraction(0)  # noqa: B023
            return due * (exact(row) - spread) / fair

        lines = []
        for row in rows[:_SHOWN]:
            bid, ask = (table.decimals(name).fraction(row) for name in ("bid", "ask"))
            lines += [line(row), f"the spread is {text(ask)} - {text(bid)} = {decimal_text(ask - bid)}: short by "
                                 f"{decimal_text(exact(row) - (ask - bid))}"]  # fmt: skip
        amount = max(map(short, rows))
        found.append(Breach(
            key=symbol, where=places(table, rows), count=len(rows),
            was=f"the spread of {symbol} was {decimal_text(spreads.exact(first)[0])}",
            should=f"at least {decimal_text(exact(first))}, {what}", work=tuple(lines), amount=amount or None,
            currency=instrument.settle, loss=loss, cause=cause,
        ))  # fmt: skip
    return tuple(found)


def least_spread(session: Session) -> Looked:
    """No quoted spread is below min_spread_bps of the fair value."""
    floor = session.number("quoting", "min_spread_bps")
    if floor is None:
        return Looked(0, (), ("no min_spread_bps is stated, so the least spread is not judged",))
    spreads, rate = _spreads(session), floor * BPS
    fair = spreads.table.decimals("fair_value")
    found = _below(
        session, spreads, float(rate) * spreads.fair,
        lambda row: rate * fair.fraction(row), lambda row: rate * fair.tolerance(row),
        lambda row: f"{spreads.table.where(row)}: {decimal_text(fair.fraction(row))} x {decimal_text(floor)} / 10000 = "
        f"{decimal_text(rate * fair.fraction(row))}",
        "min_spread_bps of the fair value",
        "what a round trip on the smaller of the quoted sizes earns less than was told to, where that is most",
    )  # fmt: skip
    return Looked(len(spreads.rows), found)


def spread_by_volatility(session: Session) -> Looked:
    """No quoted spread is below vol_multiplier times the volatility that the quote states."""
    times = session.number("quoting", "vol_multiplier")
    if times is None:
        return Looked(0, (), ("no vol_multiplier is stated, so spread and volatility are not compared",))
    spreads = _spreads(session)
    volatility, fair = spreads.table.decimals("volatility"), spreads.table.decimals("fair_value")

    def due(row: int) -> Fraction:
        return times * volatility.fraction(row) * fair.fraction(row)

    found = _below(
        session, spreads, float(times) * volatility.floats()[spreads.rows] * spreads.fair, due,
        lambda row: times * (volatility.tolerance(row) * fair.fraction(row)
                             + abs(volatility.fraction(row)) * fair.tolerance(row)),
        lambda row: f"{spreads.table.where(row)}: {decimal_text(times)} x {decimal_text(volatility.fraction(row))} x "
        f"{decimal_text(fair.fraction(row))} = {decimal_text(due(row))}",
        "vol_multiplier x volatility x fair value",
        "what a round trip on the smaller of the quoted sizes earns less than the volatility asks for, where that is "
        "most",
    )  # fmt: skip
    return Looked(int(volatility.known[spreads.rows].sum()), found)


def spread_beyond_fees(session: Session) -> Looked:
    """A quoted spread pays both maker fees and leaves min_edge_bps."""
    if not _is_stated(session):
        return Looked(0, (), (_UNSTATED,))
    edge = (session.number("quoting", "min_edge_bps", 0) or Fraction(0)) * BPS
    spreads, listed = _spreads(session), in_force(session, "quotes")
    table, fees = spreads.table, session.table("instruments", "maker_fee").decimals("maker_fee")
    bid, ask, fair = (table.decimals(name) for name in ("bid", "ask", "fair_value"))
    charged = (listed[spreads.rows] >= 0) & fees.known[listed[spreads.rows]]
    rates = np.where(charged, fees.floats()[listed[spreads.rows]], np.nan)

    def base(row: int) -> Fraction:
        return min(2 * fair.fraction(row), bid.fraction(row) + ask.fraction(row))

    def due(row: int) -> Fraction:
        return base(row) * fees.fraction(int(listed[row])) + edge * fair.fraction(row)

    both = np.minimum(2 * spreads.fair, bid.floats()[spreads.rows] + ask.floats()[spreads.rows])
    found = _below(
        session, spreads, both * rates + float(edge) * spreads.fair, due,
        lambda row: (edge + 2 * abs(fees.fraction(int(listed[row])))) * fair.tolerance(row),
        lambda row: f"{table.where(row)}: maker fees {decimal_text(base(row))} x "
        f"{text(fees.fraction(int(listed[row])))}, edge {decimal_text(fair.fraction(row))} x "
        f"{decimal_text(edge / BPS)} / 10000; together {decimal_text(due(row))}",
        "both maker fees and min_edge_bps",
        "what a round trip on the smaller of the quoted sizes falls short of, where that is most",
    )  # fmt: skip
    return Looked(int(charged.sum()), found)


def widening(session: Session) -> Looked:
    """Quotes of adverse or volatile times are wider in the median than those of the calmer half."""
    if not _is_stated(session):
        return Looked(0, (), (_UNSTATED,))
    spreads = _spreads(session)
    symbols, volatility = spreads.table.words("symbol"), spreads.table.decimals("volatility")
    looked, found, notes = 0, [], []
    for symbol in symbols.names:
        mine = np.flatnonzero(symbols.is_(symbol)[spreads.rows])
        groups, calm = _groups(session, spreads, mine)
        compared = {name: group for name, group in groups.items() if min(len(group), len(calm)) >= _ENOUGH}
        if not compared:
            notes.append(f"{symbol}: fewer than {_ENOUGH} quotes above the least spread in adverse or volatile times, "
                         "or in calm ones: not compared")  # fmt: skip
        for name, group in compared.items():
            looked += len(group)
            breach = _unwidened(spreads, symbol, name, group, calm)
            found += [breach] if breach else []
    return Looked(looked, tuple(found), tuple(notes) if volatility.known.any() else ())


def _groups(session: Session, spreads: Spreads, mine: Rows) -> tuple[dict[str, Rows], Rows]:
    """Return the rows of adverse and of volatile times, and of the calmer half; those at the floor left out."""
    table, rows = spreads.table, spreads.rows[mine]
    volatility, state = table.decimals("volatility"), table.words("state")
    known = volatility.known[rows]
    if not known.any():
        return {}, rows[:0]
    ordered = np.sort(volatility.ints[rows[known]])
    half, top = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) * 9 // 10]
    free = ~_at_floor(session, spreads, mine)
    adverse = state.is_("adverse")[rows]
    calm = free & known & np.asarray(volatility.ints[rows] <= half) & ~adverse
    groups = {"adverse": rows[free & adverse]}
    if top > half:
        groups["volatile"] = rows[free & known & np.asarray(volatility.ints[rows] >= top)]
    return groups, rows[calm]


def _at_floor(session: Session, spreads: Spreads, mine: Rows) -> Mask:
    table, rows = spreads.table, spreads.rows[mine]
    bid, ask = table.decimals("bid"), table.decimals("ask")
    scale = max(bid.scale, ask.scale, session.table("instruments", "tick_size").decimals("tick_size").scale)
    tick = ticks_of(session, "quotes", scale)[rows]
    out = np.asarray(ask.at_scale(scale)[rows] - bid.at_scale(scale)[rows] <= tick)
    floor = session.number("quoting", "min_spread_bps")
    if floor is not None:
        least = float(floor * BPS) * spreads.fair[mine] + 2 * tick.astype(np.float64) / 10.0**scale
        out |= spreads.spread[mine] < least
    return out


def _median(spreads: Spreads, rows: Rows) -> tuple[Fraction, int]:
    """Return the median of spread / fair value of some rows, exact, and the row in the middle."""
    place = np.searchsorted(spreads.rows, rows)
    order = rows[np.argsort(spreads.spread[place] / spreads.fair[place], kind="stable")]
    middle = [int(row) for row in order[(len(order) - 1) // 2 : len(order) // 2 + 1]]
    shares = [spread / fair for spread, fair in map(spreads.exact, middle)]
    return sum(shares, Fraction(0)) / len(shares), middle[0]


def _unwidened(spreads: Spreads, symbol: str, name: str, group: Rows, calm: Rows) -> Breach | None:
    (wide, row), (narrow, other) = _median(spreads, group), _median(spreads, calm)
    if wide > narrow:
        return None
    table = spreads.table
    lines = [
        f"{words}: {len(rows)} quotes, median spread / fair value {decimal_text(share)}; in the middle "
        f"{table.where(at)}, {decimal_text(spreads.exact(at)[0])} / {decimal_text(spreads.exact(at)[1])}"
        for words, rows, share, at in ((name, group, wide, row), ("calmer half", calm, narrow, other))
    ]
    return Breach(
        key=f"{symbol} {name}", where=places(table, group.tolist()), count=len(group),
        was=f"the median spread of {symbol} in {name} times was {decimal_text(wide / BPS, 6)} bps",
        should=f"above {decimal_text(narrow / BPS, 6)} bps, the median of the calmer half", work=tuple(lines),
        amount=None, currency="",
        loss="who trades in such times knows more: quotes that are no wider are picked off; how much that cost depends "
        "on the prices after each fill",
    )  # fmt: skip
