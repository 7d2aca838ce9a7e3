"""Section 3.3, derived calculations: every VWAP, EMA and volatility recomputed, and what each may have seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather, signals
from mmverify.checks.books import instruments
from mmverify.checks.known import Rows
from mmverify.checks.signal_mistakes import Suspects, of_ema, of_volatility, of_vwap
from mmverify.checks.signals import Claim, Value, Values, agrees
from mmverify.checks.signalwork import ema_work, moved, order_size, price_money, volatility_work, vwap_work
from mmverify.checks.tape import tape
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, Table, need_instruments

_DAY_NS = signals.YEAR_NS / 365
_SHOWN, _SAMPLE = 5, 50


@dataclass(frozen=True)
class _Signal:
    """How one signal is judged: its values, the error of its kernel, what would explain a wrong one, its money."""

    name: str
    values: Values
    noise: Callable[[Claim], float]
    suspects: Callable[[Claim], Suspects]
    work: Callable[[Claim, Value], tuple[str, ...]]
    money: Callable[[Claim, Value], tuple[Fraction | None, str]]


def vwap(session: Session) -> Looked:
    """VWAP is sum(price x qty) / sum(qty) over the trades of the window that had arrived; none of an empty window."""
    return _judge(session, _Signal("vwap", signals.vwaps, lambda claim: 0.0, of_vwap, vwap_work, price_money))


def ema(session: Session) -> Looked:
    """EMA is the recursion under the stated start, over the prices in the venue's order of time."""
    return _judge(session, _Signal("ema", signals.emas, signals.ema_noise, of_ema, ema_work, price_money))


def volatility(session: Session) -> Looked:
    """Volatility is of the stated kind of return, ddof and annualization."""
    values, noise = signals.volatilities, signals.volatility_noise
    return _judge(session, _Signal("volatility", values, noise, of_volatility, volatility_work, _risk_money))


def _judge(session: Session, signal: _Signal) -> Looked:
    return gather(_judge_symbol(signal, *found) for found in signals.claims(session, signal.name))


def _judge_symbol(signal: _Signal, symbol: str, found: list[Claim], notes: list[str]) -> Looked:
    wrong: list[tuple[Claim, Value]] = []
    exercised = 0
    for claim in found:
        values = signal.values(claim)
        if not values:
            notes.append(f"{symbol}: a {signal.name} whose window or params leave it open is not judged")
        elif claim.value is not None or None in values:
            exercised += 1
            if agrees(claim, values) or agrees(claim, values, signal.noise(claim)):
                continue
            if not any(agrees(each, signal.values(each), signal.noise(each)) for each in signals.tied(claim)):
                wrong.append((claim, signals.nearest(claim, values)))
    notes = list(dict.fromkeys(notes))
    return Looked(exercised, (_breach(signal, symbol, wrong),) if wrong else (), tuple(notes))


def _breach(signal: _Signal, symbol: str, wrong: list[tuple[Claim, Value]]) -> Breach:
    """Word the wrong claims of one signal and symbol, each beside the nearest right value."""
    first, right = wrong[0]
    amount, loss = signal.money(*max(wrong, key=lambda entry: _off(*entry)))
    sample = [claim for claim, _ in [*wrong[:_SAMPLE], wrong[-1]]]
    cause = next(
        (words for words, values in signal.suspects(first)
         if all(agrees(claim, values(claim), signal.noise(claim)) for claim in sample)),
        "",
    )  # fmt: skip
    was, work = decimal_text(first.value or Fraction(0)), signal.work(first, right)
    if right is not None:
        off = (first.value or Fraction(0)) - Fraction(right)
        work += (f"{first.where} claims {was}: it is off by {decimal_text(off)}",)
    return Breach(
        key=symbol, where=tuple(claim.where for claim, _ in wrong[:_SHOWN]), count=len(wrong),
        was=f"{signal.name} of {symbol} was {was}",
        should="no value" if right is None else decimal_text(Fraction(right)), work=work, amount=amount,
        currency=instruments(first.session)[symbol].settle, loss=loss, cause=cause,
    )  # fmt: skip


def _off(claim: Claim, right: Value) -> Fraction:
    """Return how far a claim is from the right value, 0 where there is none."""
    return Fraction(0) if right is None else abs((claim.value or Fraction(0)) - Fraction(right))


def _risk_money(claim: Claim, right: Value) -> tuple[Fraction | None, str]:
    how, instrument = signals.annual(claim), instruments(claim.session)[claim.symbol]
    low, high = claim.window
    if right is None or how is None or low == high:
        return None, "a risk that nothing measures"
    limit = claim.session.limit(claim.symbol, "max_position")
    qty, source = order_size(claim.session, claim.symbol) if limit is None else (limit, "max_position")
    price = Fraction(int(claim.tape.prices[high - 1]), 10**claim.tape.price_scale)
    size = qty * instrument.multiplier
    worth = size / price if instrument.kind == "inverse" and price else size * price
    day = _DAY_NS / (claim.params["period_ns"] * how.periods)  # as a part of the year that it is annualized by
    return _off(claim, right) * Fraction(day**0.5) * worth, (
        f"the daily one-sigma move of a position of {decimal_text(qty)} ({source}) at {decimal_text(price)} is "
        "misjudged by it: spreads and limits scale with it"
    )


def no_look_ahead(session: Session) -> Looked:
    """No signal has an input newer than itself."""
    table = session.table("signals")
    newest, at = table.whole("ts_input_max"), table.whole("ts_local").values
    symbols, names = table.words("symbol"), table.words("name")
    need_instruments(session, "signals", symbols)
    ahead = ~newest.missing & (newest.values > at)
    found = [
        Looked(0, (_ahead(session, table, symbol, name, rows),))
        for symbol in symbols.names
        for name in names.names
        if (rows := np.flatnonzero(ahead & symbols.is_(symbol) & names.is_(name))).size
    ]
    return gather([Looked(int((~newest.missing).sum())), *found])


def _ahead(session: Session, table: Table, symbol: str, name: str, rows: Rows) -> Breach:
    newest, at = table.whole("ts_input_max").values, table.whole("ts_local").values
    lead, first = newest[rows] - at[rows], int(rows[0])
    work = [f"ts_input_max - ts_local = {newest[first]} - {at[first]} = {int(lead[0])} ns after the signal"]
    instrument = instruments(session).get(symbol)
    currency = instrument.settle if instrument else session.currency or ""
    amount, loss = None, "a value from the future cannot be traded on: what it promises in a test is not there live"
    peek = _peek(session, table, symbol, rows) if instrument else None
    if instrument and peek:
        row, known, seen = peek
        qty, source = order_size(session, symbol)
        amount = moved(instrument, qty, known, seen)
        was, will = decimal_text(known), decimal_text(seen)
        work.append(f"last trade known at {table.where(row)}: {was}; at its newest input: {will}")
        loss = (
            f"the move that {table.where(row)} saw before it happened, on one order of {decimal_text(qty)} ({source}): "
            "profit that no live run can repeat"
        )
    return Breach(
        key=f"{symbol} {name}", where=tuple(table.where(int(row)) for row in rows[:_SHOWN]), count=len(rows),
        was=f"the newest input of {name} was of {int(newest[first])}", should=f"{int(at[first])} or before",
        work=tuple(work), amount=amount, currency=currency, loss=loss,
        cause=f"{name} was computed from data of up to {int(lead.max())} ns after it",
    )  # fmt: skip


def _peek(session: Session, table: Table, symbol: str, rows: Rows) -> tuple[int, Fraction, Fraction] | None:
    """Return the row whose future inputs moved the price most, and the last price before and after they came."""
    if not session.has("trades"):
        return None
    held = tape(session, symbol, "unused")
    times = (table.whole("ts_local").values, table.whole("ts_input_max").values)
    known, seen = (np.searchsorted(held.arrived.times, column[rows], side="right") - 1 for column in times)
    some = known >= 0
    before, after = (held.prices[held.arrived.rows[places[some]]].tolist() for places in (known, seen))
    found = list(zip(rows[some].tolist(), before, after, strict=True))
    if not found:
        return None
    row, *prices = max(found, key=lambda entry: abs(entry[1] - entry[2]))
    last, newest = (Fraction(price, 10**held.price_scale) for price in prices)
    return row, last, newest
