"""Quotes around fair value plus skew, and the skew against the position (1.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.prices import candidates
from mmverify.checks.s1_1_sent import in_force, tick_sizes, ticks_of
from mmverify.numeric import Decimals, Mask, decimal_text
from mmverify.session.load import Session, Table
from mmverify.session.settings import exact

BPS = Fraction(1, 10_000)
_SHOWN = 2
_NAMES = ("fair_value", "skew", "bid", "ask", "best_bid", "best_ask")


def _quotes(session: Session) -> Table:
    return session.table("quotes", "ts_local", "symbol", "bid_qty", "ask_qty", *_NAMES)


def _by_symbol(table: Table, which: Mask) -> Iterable[tuple[str, list[int]]]:
    symbols = table.words("symbol")
    for symbol in symbols.names:
        rows = np.flatnonzero(which & symbols.is_(symbol)).tolist()
        if rows:
            yield symbol, rows


def _skew(table: Table, row: int) -> Fraction:
    """Return the skew of a quote, 0 where it states none."""
    return table.decimals("skew").fraction(row)


# --- half-spreads -----------------------------------------------------------------------------------------------------


def half_spreads(session: Session) -> Looked:
    """Both sides of a quote are as far from fair value plus skew, but for the rounding outward to a tick."""
    table = _quotes(session)
    columns = {name: table.decimals(name) for name in _NAMES}
    scale = max(column.scale for column in (*columns.values(), tick_sizes(session)))
    fair, skew, bid, ask, *_ = (column.at_scale(scale) for column in columns.values())
    tick = ticks_of(session, "quotes", scale)
    judged = columns["bid"].known & columns["ask"].known & columns["fair_value"].known & np.asarray(tick > 0)
    judged &= ~columns["skew"].nan
    judged &= ~_clipped(session, table, scale, judged)
    apart = bid + ask - 2 * (fair + skew)
    doubtful = np.flatnonzero(judged & np.asarray(np.abs(apart) > tick)).tolist()

    def allowed(row: int) -> Fraction:
        given = [columns["fair_value"]] + ([columns["skew"]] if columns["skew"].known[row] else [])
        return Fraction(int(tick[row]), 10**scale) + 2 * sum((each.tolerance(row) for each in given), Fraction(0))

    wrong = np.zeros(len(table), dtype=bool)
    wrong[[row for row in doubtful if abs(Fraction(int(apart[row]), 10**scale)) > allowed(row)]] = True
    found = [_uneven(session, table, symbol, rows, scale) for symbol, rows in _by_symbol(table, wrong)]
    return Looked(int(judged.sum()), tuple(found))


def _clipped(session: Session, table: Table, scale: int, judged: Mask) -> Mask:
    """Return the quotes of which a side stands one tick inside the opposite best of the book."""
    tick = ticks_of(session, "quotes", scale)
    bid, ask, low, high = (table.decimals(name) for name in ("bid", "ask", "best_bid", "best_ask"))
    by_ask = high.known & np.asarray(bid.at_scale(scale) == high.at_scale(scale) - tick)
    out: Mask = by_ask | (low.known & np.asarray(ask.at_scale(scale) == low.at_scale(scale) + tick))
    untold = judged & low.missing & high.missing
    if not untold.any() or not session.has("book"):
        return out
    for symbol, rows in _by_symbol(table, untold):
        at = table.whole("ts_local").values[rows]
        for own, direction, sign in ((bid, -1, 1), (ask, 1, -1)):
            opposite = candidates(session, symbol, "exit", at, [(direction,)] * len(rows))
            for row, bests in zip(rows, opposite, strict=True):
                step = Fraction(int(tick[row]), 10**scale) * sign
                out[row] |= any(own.fraction(row) == best - step for best in bests)
    return out


def _uneven(session: Session, table: Table, symbol: str, rows: list[int], scale: int) -> Breach:
    fair, bid, ask = (table.decimals(name) for name in ("fair_value", "bid", "ask"))
    listed, ticks = in_force(session, "quotes"), tick_sizes(session)
    instrument = instruments(session)[symbol]

    def distances(row: int) -> tuple[Fraction, Fraction]:
        centre = fair.fraction(row) + _skew(table, row)
        return centre - bid.fraction(row), ask.fraction(row) - centre

    def shift(row: int) -> Fraction:
        below, above = distances(row)
        return abs(above - below) / 2

    def harm(row: int) -> Fraction:
        sizes = [table.decimals(name) for name in ("bid_qty", "ask_qty")]
        if not all(size.known[row] for size in sizes) or bid.ints[row] <= 0 or shift(row) >= bid.fraction(row):
            return Fraction(0)
        qty, price = max(size.fraction(row) for size in sizes), bid.fraction(row)
        return abs(notional(instrument, price, qty) - notional(instrument, price - shift(row), qty))

    lines = []
    for row in rows[:_SHOWN]:
        below, above = distances(row)
        f, s, b, a = (text(v) for v in (fair.fraction(row), _skew(table, row), bid.fraction(row), ask.fraction(row)))
        tick = decimal_text(ticks.fraction(int(listed[row])))
        lines += [
            f"{table.where(row)}: centre {f} + {s} = {decimal_text(fair.fraction(row) + _skew(table, row))}",
            f"below it {decimal_text(below)} to the bid {b}, above it {decimal_text(above)} to the ask {a}: apart by "
            f"{decimal_text(abs(above - below))}, of at most one tick, {tick}",
        ]
    first, worst = rows[0], max(rows, key=harm)
    below, above = distances(first)
    amount = harm(worst)
    return Breach(
        key=symbol, where=places(table, rows), count=len(rows),
        was=f"the half-spreads of {symbol} were {decimal_text(below)} below and {decimal_text(above)} above",
        should="equal, but for less than a tick of rounding on each side", work=tuple(lines), amount=amount or None,
        currency=instrument.settle,
        loss="what the pair of quotes is shifted by, half of the difference, over the larger of its sizes where that "
        "is most: each fill of the near side gives it away",
        cause=_cause_of_uneven(session, table, rows),
    )  # fmt: skip


def _cause_of_uneven(session: Session, table: Table, rows: list[int]) -> str:
    fair, bid, ask = (table.decimals(name) for name in ("fair_value", "bid", "ask"))
    listed, ticks = in_force(session, "quotes"), tick_sizes(session)
    suspects = {
        "the skew was applied twice": 2,
        "the skew was not applied to the prices": 0,
        "the skew was applied with its sign turned": -1,
    }
    for words, times in suspects.items():
        off = [abs(bid.fraction(r) + ask.fraction(r) - 2 * (fair.fraction(r) + times * _skew(table, r))) for r in rows]
        if all(by <= ticks.fraction(int(listed[row])) for by, row in zip(off, rows, strict=True)):
            return words
    return ""


# --- skew -------------------------------------------------------------------------------------------------------------


def skew_direction(session: Session) -> Looked:
    """Beyond half of max_position the skew has not the position's sign."""
    table = _quotes(session)
    return gather(_leaning(session, table, symbol, rows) for symbol, rows in _by_symbol(
        table, table.decimals("skew").known
    ))  # fmt: skip


def _leaning(session: Session, table: Table, symbol: str, rows: list[int]) -> Looked:
    stated = session.settings.get("limits", {}).get(symbol, {}).get("max_position")
    if stated is None:
        return Looked(0, (), (f"{symbol}: no max_position is stated, so the side of the skew is not judged",))
    if not session.has("fills") and not session.has("positions"):
        return Looked(0, (), ("neither fills nor positions are there, so the side of the skew is not judged",))
    most = exact(stated, f"limits.{symbol}.max_position")
    known, skew = executions(session, symbol), table.decimals("skew")
    low, high = known.line.span(table.whole("ts_local").values[rows])
    units = most / 2 * 10**known.digits
    held = known.position[high]
    sign = np.sign(skew.ints[rows]).astype(int)
    doubtful = np.asarray(held * sign * units.denominator > units.numerator)
    wrong = [
        n for n in np.flatnonzero(doubtful).tolist()
        if all(int(known.position[count]) * int(sign[n]) > units for count in range(int(low[n]), int(high[n]) + 1))
    ]  # fmt: skip
    if not wrong:
        return Looked(len(rows))

    def position(n: int) -> Fraction:
        return known.qty(int(held[n]))

    def line(n: int) -> str:
        return (
            f"{table.where(rows[n])}: position {decimal_text(position(n))} of at most {decimal_text(most)}, beyond "
            f"{decimal_text(most / 2)}; skew {decimal_text(skew.fraction(rows[n]))} shifts both prices "
            f"{'up' if sign[n] > 0 else 'down'}, so the position grows"
        )

    first, worst = wrong[0], max(wrong, key=lambda n: abs(skew.fraction(rows[n]) * position(n)))
    fair = table.decimals("fair_value")
    price = fair.fraction(rows[worst]) if fair.known[rows[worst]] else Fraction(0)
    amount = notional(known.instrument, price, abs(position(worst))) if price > 0 else None
    return Looked(len(rows), (
        Breach(
            key=symbol, where=places(table, [rows[n] for n in wrong]), count=len(wrong),
            was=f"the skew of {symbol} was {decimal_text(skew.fraction(rows[first]))} at a position of "
            f"{decimal_text(position(first))}",
            should="0, or of the other sign than the position", work=tuple(map(line, wrong[:_SHOWN])), amount=amount,
            currency=known.instrument.settle,
            loss="the position that the quotes add to where they should shed it, at fair value, where it leans most",
        ),
    ))  # fmt: skip


def skew_cap(session: Session) -> Looked:
    """The skew stays within max_skew_bps of the fair value."""
    table = _quotes(session)
    cap = session.number("quoting", "max_skew_bps")
    if cap is None:
        return Looked(0, (), ("no max_skew_bps is stated, so the size of the skew is not judged",))
    skew, fair = table.decimals("skew"), table.decimals("fair_value")
    judged = skew.known & fair.known & np.asarray(np.greater(fair.ints, 0))
    rate = cap * BPS
    near = np.abs(skew.floats()) > float(rate) * fair.floats() * (1 - 1e-9)

    def bound(row: int) -> Fraction:
        return rate * fair.fraction(row)

    wrong = np.zeros(len(table), dtype=bool)
    wrong[[
        row for row in np.flatnonzero(judged & near).tolist()
        if abs(skew.fraction(row)) > bound(row) + skew.tolerance(row) + rate * fair.tolerance(row)
    ]] = True  # fmt: skip
    found = []
    for symbol, rows in _by_symbol(table, wrong):
        first = rows[0]
        lines = [
            f"{table.where(row)}: {decimal_text(fair.fraction(row))} x {decimal_text(cap)} / 10000 = "
            f"{decimal_text(bound(row))}; the skew is {text(skew.fraction(row))}"
            for row in rows[:_SHOWN]
        ]
        found.append(Breach(
            key=symbol, where=places(table, rows), count=len(rows),
            was=f"the skew of {symbol} was {decimal_text(skew.fraction(first))}",
            should=f"at most {decimal_text(bound(first))} either way, max_skew_bps of the fair value",
            work=tuple(lines), amount=_beyond(session, table, symbol, rows, skew, rate),
            currency=_currency(session, symbol),
            loss="the edge that a fill at the shifted price gives away beyond the cap, on the larger of the quoted "
            "sizes where that is most",
        ))  # fmt: skip
    return Looked(int(judged.sum()), tuple(found))


def _currency(session: Session, symbol: str) -> str:
    return instruments(session)[symbol].settle if symbol in instruments(session) else ""


def _beyond(
    session: Session, table: Table, symbol: str, rows: list[int], skew: Decimals, rate: Fraction
) -> Fraction | None:
    instrument, fair = instruments(session).get(symbol), table.decimals("fair_value")
    sizes = [table.decimals(name) for name in ("bid_qty", "ask_qty")]
    if instrument is None:
        return None
    amounts = [Fraction(0)]
    for row in rows:
        price = fair.fraction(row)
        known = [size.fraction(row) for size in sizes if size.known[row]]
        shifted = price + abs(skew.fraction(row)) - rate * price
        if known:
            amounts.append(abs(notional(instrument, shifted, max(known)) - notional(instrument, price, max(known))))
    return max(amounts) or None
