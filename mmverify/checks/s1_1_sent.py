"""Prices to be sent, of quotes and of orders, against the tick of their market (1.1.5, 1.1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.known import Rows
from mmverify.numeric import Decimals, Ints, Mask, decimal_text, narrow
from mmverify.session.load import Session, Table, need_instruments

_ALWAYS = -(2**63)
_DIGITS = 24  # of a price that is written out: binary noise stands in the last of them
_SHOWN = 3
_NOISE = Fraction(1, 10**9)  # of the price: what float64 may leave of a few operations


@lru_cache(maxsize=16)
def in_force(session: Session, name: str) -> Rows:
    """Return, per row of a table, the row of `instruments` that was in force at its ts_local; -1 for the symbol ``*``.

    Raises
    ------
    EvidenceError
        For a row whose symbol has no instrument.
    """
    table = session.table(name, "ts_local", "symbol")
    symbols, listed = table.words("symbol"), session.table("instruments", "symbol", "ts_from")
    need_instruments(session, name, symbols)
    start = listed.whole("ts_from")
    since = np.where(start.missing, _ALWAYS, start.values)
    out = np.full(len(table), -1, dtype=np.int64)
    for symbol in symbols.names:
        rows, mine = np.flatnonzero(listed.words("symbol").is_(symbol)), symbols.is_(symbol)
        if rows.size:
            rows = rows[np.argsort(since[rows], kind="stable")]
            places = np.searchsorted(since[rows], table.whole("ts_local").values[mine], side="right") - 1
            out[mine] = rows[np.maximum(places, 0)]
    return out


def tick_sizes(session: Session) -> Decimals:
    """Return the ticks of `instruments`."""
    return session.table("instruments", "tick_size").decimals("tick_size")


def ticks_of(session: Session, name: str, scale: int) -> Ints:
    """Return the tick of each row of a table as an integer at a scale, 0 where none is stated."""
    ticks, rows = tick_sizes(session), in_force(session, name)
    return np.where((rows >= 0) & ticks.known[rows], ticks.at_scale(scale)[rows], 0)


@dataclass(frozen=True, eq=False)
class Sent:
    """One column of prices to be sent.

    Parameters
    ----------
    table : Table
    name : str
        Its column.
    which : ndarray of bool
        Rows with a price and a tick.
    listed : ndarray of int64
        The row of `instruments` of each row.
    """

    table: Table
    name: str
    which: Mask
    listed: Rows

    @property
    def prices(self) -> Decimals:
        """The prices."""
        return self.table.decimals(self.name)


Judge = Callable[[Sent, Rows], Mask]


def sent_prices(session: Session) -> Iterator[Sent]:
    """Yield the prices of submits and replace requests, then the bids and the asks of the quotes."""
    if session.has("order_events"):
        events = session.table("order_events", "ts_local", "symbol", "event", "price")
        yield _sent(session, events, "price", events.words("event").is_("submit", "replace_request"))
    if session.has("quotes"):
        quotes = session.table("quotes", "ts_local", "symbol", "bid", "ask")
        for side in ("bid", "ask"):
            yield _sent(session, quotes, side, np.ones(len(quotes), dtype=bool))


def _sent(session: Session, table: Table, name: str, which: Mask) -> Sent:
    listed, ticks = in_force(session, table.name), tick_sizes(session)
    priced = which & table.decimals(name).known & (listed >= 0)
    return Sent(table, name, priced & np.asarray(np.greater(ticks.ints, 0))[listed], listed)


# --- 1.1.6 ------------------------------------------------------------------------------------------------------------


def prices_on_tick(session: Session) -> Looked:
    """Every price to be sent is a whole multiple of its market's tick."""
    ticks = tick_sizes(session)

    def off(sent: Sent, rows: Rows) -> Mask:
        scale = max(sent.prices.scale, ticks.scale)
        tick = ticks.at_scale(scale)[sent.listed[rows]]
        return np.asarray(sent.prices.at_scale(scale)[rows] % tick != 0)

    return _looked(
        session, off, "off the grid of prices",
        "a price between two ticks is refused by the venue, or rounded by it to a price that nobody chose: the quote "
        "or the hedge is missing while the market moves; what that costs, the session does not tell",
    )  # fmt: skip


# --- 1.1.5 ------------------------------------------------------------------------------------------------------------


def price_digits(session: Session) -> Looked:
    """No price to be sent has more digits than its market's tick."""
    ticks = tick_sizes(session)
    digits = [len(decimal_text(tick, _DIGITS).partition(".")[2]) for tick in ticks.fractions()]

    def longer(sent: Sent, rows: Rows) -> Mask:
        scale = sent.prices.scale
        units = narrow([10 ** max(scale - each, 0) for each in digits])
        return np.asarray(sent.prices.ints[rows] % units[sent.listed[rows]] != 0)

    return _looked(
        session, longer, "written with more digits than the tick has",
        "a price with digits that the grid does not have is refused by the venue, again with each retry, and compares "
        "as another price than the same one of the book; what that costs, the session does not tell",
    )  # fmt: skip


def _looked(session: Session, judge: Judge, what: str, loss: str) -> Looked:
    columns = list(sent_prices(session))
    exercised, wrong = 0, dict[str, list[tuple[Sent, int]]]()
    for sent in columns:
        rows = np.flatnonzero(sent.which)
        exercised += len(rows)
        for row in rows[judge(sent, rows)].tolist():
            wrong.setdefault(sent.table.words("symbol").text(row), []).append((sent, row))
    return Looked(exercised, tuple(_breach(session, symbol, found, what, loss) for symbol, found in wrong.items()))


def _breach(session: Session, symbol: str, found: list[tuple[Sent, int]], what: str, loss: str) -> Breach:
    sent, row = found[0]
    price, tick, due = _price(session, sent, row)
    shown = [found[0], *(each for each in found[1:] if each[0] is not sent)][:_SHOWN]
    return Breach(
        key=symbol,
        where=tuple(dict.fromkeys(sent.table.where(row) for sent, row in [*found[:_SHOWN], *shown])),
        count=len(found),
        was=f"the {sent.name} of {symbol} was {decimal_text(price, _DIGITS)}, {what}",
        should=f"{decimal_text(due)}, or another whole multiple of {decimal_text(tick)}",
        work=tuple(_line(session, sent, row) for sent, row in shown),
        amount=None, currency="", loss=loss, cause=_cause(session, found),
    )  # fmt: skip


def _price(session: Session, sent: Sent, row: int) -> tuple[Fraction, Fraction, Fraction]:
    """Return a price, its tick and the multiple of the tick that is nearest."""
    price, tick = sent.prices.fraction(row), tick_sizes(session).fraction(int(sent.listed[row]))
    return price, tick, round(price / tick) * tick


def _line(session: Session, sent: Sent, row: int) -> str:
    price, tick, due = _price(session, sent, row)
    shown, size, count = decimal_text(price, _DIGITS), decimal_text(tick), decimal_text(price / tick, _DIGITS)
    ticks = decimal_text(due / tick)
    return (
        f"{sent.table.where(row)} {sent.name}: {shown} / {size} = {count} ticks; {ticks} x {size} = {decimal_text(due)}"
    )


def _cause(session: Session, found: list[tuple[Sent, int]]) -> str:
    prices = [_price(session, sent, row) for sent, row in found]
    if all(Fraction(repr(round(p / t) * float(t))) == p for p, t, _ in prices):
        return "a count of ticks was multiplied by the tick in binary floating point, and sent as it prints"
    if all(abs(p - due) <= _NOISE * p for p, _, due in prices):
        return "the prices are whole ticks but for the noise of binary floating point"
    if all((p * 10 ** len(decimal_text(t, _DIGITS).partition(".")[2])).denominator == 1 for p, t, _ in prices):
        return "prices were rounded to as many decimals as the tick has, not to its multiples"
    return ""
