"""2.3.5: maker or taker, by the execution and not by what the order was meant to be."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import Instrument, fills_table
from mmverify.checks.claims import places
from mmverify.checks.handwork import fee_work, notional, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.checks.s2_3_work import fill_line
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session, Table

_OTHER = {"maker": "taker", "taker": "maker"}


def liquidity_of_executions(session: Session) -> Looked:
    """A post_only order makes, and a fee is of the execution's liquidity, not of the order's intent."""
    return gather(_symbol(session, symbol) for symbol in fills_table(session).words("symbol").names)


def _symbol(session: Session, symbol: str) -> Looked:
    known, fills, replayed = executions(session, symbol), fills_table(session), flow(session)
    orders = session.table("order_events", "type", "tif", "post_only")
    rows, kind = known.line.rows, fills.words("kind")
    liquidity = fills.words("liquidity")
    judged = (known.life >= 0) & ~known.repeated & ((kind.missing | kind.is_("trade")) & ~liquidity.missing)[rows]
    left_out = {
        "are of no order that order_events has": known.life < 0,
        "state no liquidity": liquidity.missing[rows],
    }
    counted = {why: int(np.sum(which & ~known.repeated)) for why, which in left_out.items()}
    notes = tuple(f"{symbol}: {count} fills {why}" for why, count in counted.items() if count)
    at = np.flatnonzero(judged)
    if not at.size:
        return Looked(0, (), notes)
    first = replayed.lives.first[known.life[at]]
    takes = liquidity.is_("taker")[rows[at]]
    is_post_only = (orders.whole("post_only").values == 1)[first]
    found = []
    if (wrong := at[takes & is_post_only]).size:
        found.append(_took(session, known, wrong))
    type_, tif = orders.words("type"), orders.words("tif")
    at_once = type_.is_(*(name for name in type_.names if "market" in name.lower()))
    at_once |= tif.is_(*(name for name in tif.names if name.lower() in ("ioc", "fok")))
    unlike = at[takes != at_once[first]]
    if charged := list(_charged(session, known, unlike)):
        found.append(_by_intent(session, known, charged))
    return Looked(len(at), tuple(found), notes)


# --- post_only orders that took ---------------------------------------------------------------------------------------


def _when(table: Table, known: Executions, n: int) -> int:
    """Return the venue's time of a report, the bot's where there is none."""
    row, venue = int(known.line.rows[n]), table.whole("ts_exchange")
    return int(known.line.times[n] if venue.missing[row] else venue.values[row])


def _in_settle(table: Table, instrument: Instrument, row: int) -> Fraction | None:
    """Return a fee in the settlement currency, None where it was paid in a third asset."""
    asset, fee = table.words("fee_asset").text(row), table.decimals("fee").fraction(row)
    if asset == instrument.settle:
        return fee
    is_base = instrument.kind == "spot" and asset == instrument.base
    return fee * table.decimals("price").fraction(row) if is_base else None


def _took(session: Session, known: Executions, wrong: Rows) -> Breach:
    table, replayed, instrument = fills_table(session), flow(session), known.instrument
    rows = known.line.rows[wrong]
    extra: list[Fraction] = []
    for n, row in zip(wrong.tolist(), rows.tolist(), strict=True):
        fee, rate = _in_settle(table, instrument, row), instrument.rate("maker", _when(table, known, n))
        price, qty = table.decimals("price").fraction(row), table.decimals("qty").fraction(row)
        if fee is not None and rate is not None and price:
            extra.append(fee - rate * notional(instrument, price, qty))
    n, row = int(wrong[0]), int(rows[0])
    order = int(replayed.lives.first[known.life[n]])
    lines = [work.row_line(replayed, order) + ", post_only", fill_line(session, row) + ", taker"]
    if len(extra) == len(wrong):
        rate, fee = instrument.rate("maker", _when(table, known, n)), _in_settle(table, instrument, row)
        lines.append(
            f"as a maker it pays {text(rate or 0)} of its notional, {decimal_text((fee or Fraction(0)) - extra[0])} "
            f"{instrument.settle}; it paid {decimal_text(fee or 0)}: {decimal_text(extra[0])} more"
        )
    return Breach(
        key=f"{instrument.symbol} post_only", where=places(table, rows.tolist()), count=len(wrong),
        was=f"a fill of {work.order_name(replayed, order)}, a post_only order, was taker", should="maker",
        work=tuple(lines), amount=sum(extra, Fraction(0)) if len(extra) == len(wrong) else None,
        currency=instrument.settle,
        loss="fees of taking beyond those of making, on orders that were priced to make: the flag does not reach the "
        "venue, or the bot's record of it is wrong" if len(extra) == len(wrong) else
        "the edge of these quotes was computed with the maker's fee; what the maker's would have been is not stated",
    )  # fmt: skip


# --- fees by intent ---------------------------------------------------------------------------------------------------


def _rates(instrument: Instrument, liquidity: str, times: Rows) -> NDArray[np.float64]:
    """Return the rate of a liquidity side in force at each time, NaN where none is stated."""
    starts = np.array([since for since, _, _ in instrument.schedule])
    column = 1 if liquidity == "maker" else 2
    values = [each[column] for each in instrument.schedule]
    rates = np.array([np.nan if value is None else float(value) for value in values])
    return np.asarray(rates[np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)])


def _charged(session: Session, known: Executions, unlike: Rows) -> Iterator[tuple[int, Fraction, Fraction]]:
    """Yield the reports whose fee is that of the order's intent: what was due, and what the intent's would be."""
    table, instrument = fills_table(session), known.instrument
    price, qty, fee, stated = (table.decimals(name) for name in ("price", "qty", "fee", "fee_rate"))
    assets, rows = table.words("fee_asset"), known.line.rows[unlike]
    in_base = assets.is_(instrument.base)[rows] & (instrument.kind == "spot")
    which = (in_base | assets.is_(instrument.settle)[rows]) & np.asarray(price.ints[rows] != 0)
    unlike, rows, in_base = unlike[which], rows[which], in_base[which]
    if not rows.size:
        return
    takes = table.words("liquidity").is_("taker")[rows]
    venue = table.whole("ts_exchange")
    times = np.where(venue.missing[rows], known.line.times[unlike], venue.values[rows])
    maker, taker = (_rates(instrument, liquidity, times) for liquidity in ("maker", "taker"))
    size, at, paid = qty.floats()[rows], price.floats()[rows], fee.floats()[rows]
    worth = size / at if instrument.kind == "inverse" else size * at
    worth = np.where(in_base, size, worth * float(instrument.multiplier))
    units = {asset: fee.last_digit(np.flatnonzero(assets.is_(asset))) for asset in (instrument.base, instrument.settle)
             if assets.is_(asset).any()}  # fmt: skip
    unit = np.array([float(units.get(instrument.base, 0)), float(units.get(instrument.settle, 0))])[
        np.where(in_base, 0, 1)
    ]
    near = _near(paid - np.where(takes, maker, taker) * worth, unit, paid)
    for n, row in zip(unlike[near].tolist(), rows[near].tolist(), strict=True):
        actual = table.words("liquidity").text(row)
        right, wrong = (instrument.rate(each, _when(table, known, n)) for each in (actual, _OTHER[actual]))
        if right is None or wrong is None or right == wrong or (stated.known[row] and stated.fraction(row) != wrong):
            continue
        is_base = instrument.kind == "spot" and assets.text(row) == instrument.base
        value = qty.fraction(row) if is_base else notional(instrument, price.fraction(row), qty.fraction(row))
        last = units[assets.text(row)]
        if abs(fee.fraction(row) - wrong * value) <= last < abs(fee.fraction(row) - right * value):
            yield n, right * value, wrong * value


def _near(off: NDArray[np.float64], unit: NDArray[np.float64], size: NDArray[np.float64]) -> Mask:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(off) <= unit + 2.0**-45 * np.abs(size))


def _by_intent(session: Session, known: Executions, charged: list[tuple[int, Fraction, Fraction]]) -> Breach:
    table, instrument, replayed = fills_table(session), known.instrument, flow(session)
    fee, assets = table.decimals("fee"), table.words("fee_asset")
    rows = [int(known.line.rows[n]) for n, _, _ in charged]
    n, due, _ = charged[0]
    row, actual = rows[0], table.words("liquidity").text(rows[0])
    order = int(replayed.lives.first[known.life[n]])
    asset = assets.text(row)
    rate = instrument.rate(actual, _when(table, known, n)) or Fraction(0)
    same = all(assets.text(each) == asset for each in rows)
    off = [abs(fee.fraction(each) - right) for each, (_, right, _) in zip(rows, charged, strict=True)]
    return Breach(
        key=f"{instrument.symbol} fee", where=places(table, rows), count=len(rows),
        was=f"the fee of a {actual} fill was {decimal_text(fee.fraction(row))} {asset}, that of a {_OTHER[actual]}",
        should=f"{decimal_text(due)} {asset}",
        work=(work.row_line(replayed, order), *fee_work(table, instrument, row, rate, due, asset)),
        amount=sum(off, Fraction(0)) if same else max(off), currency=asset,
        loss="fees that were booked by what the orders were meant to be, beside those that the executions cost",
        cause=f"the fee is reckoned from the order (type, tif, post_only): as a {_OTHER[actual]}",
    )  # fmt: skip
