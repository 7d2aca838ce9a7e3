"""Claims of a position beside the distinct fills, and the arithmetic of section 1.2's findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np

from mmverify.checks import Off
from mmverify.checks.books import Instrument, fills_table, opening_of, short_of_opening
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_positions import Executions, Held, executions, held
from mmverify.numeric import Ints, Mask, decimal_text, times_power_of_ten
from mmverify.session.load import Session, Table, need_instruments

#: Kinds of reports that no order of the bot's is filled by.
NOT_TRADES = ("liquidation", "adl", "correction", "bust")
_SHOWN = 5  # reports of a sum that are written out


@dataclass(frozen=True, eq=False)
class Told:
    """The bot's claims of one symbol's position, the reports that they are held to, and which of them are wrong.

    A quantity in units is one of ``10**-digits`` of `held`; a claim is named by its place in `held.line`, a report by
    its number in `known.line`.
    """

    session: Session
    known: Executions
    held: Held

    @property
    def instrument(self) -> Instrument:
        """The market."""
        return self.known.instrument

    @property
    def symbol(self) -> str:
        """Its name."""
        return self.known.instrument.symbol

    @property
    def table(self) -> Table:
        """The table `positions`."""
        return self.session.table("positions", "ts_local", "symbol", "qty", "source")

    def qty(self, units: int) -> Fraction:
        """Return a quantity of these units."""
        return Fraction(int(units), 10**self.held.digits)

    def row(self, place: int) -> int:
        """Return the row of a claim."""
        return int(self.held.line.rows[place])

    def where(self, place: int) -> str:
        """Name the row of a claim."""
        return self.table.where(self.row(place))

    def claimed(self, place: int) -> Fraction:
        """Return what a claim says."""
        return self.qty(self.held.claimed[place])

    def counts(self, place: int) -> range:
        """Return how many reports a claim may know of."""
        return range(int(self.held.low[place]), int(self.held.high[place]) + 1)

    def off(self, place: int, count: int) -> int:
        """Return by how much a claim differs from what a count of reports gives, in units."""
        return int(self.held.claimed[place]) - int(self.held.position[count])

    def offs(self, place: int) -> list[int]:
        """Return by how much a claim differs from each state that it may know, in units."""
        return [self.off(place, count) for count in self.counts(place)]

    def is_right(self, place: int) -> bool:
        """Whether any state that was known gives a claim."""
        return any(abs(off) <= self.held.slack for off in self.offs(place))

    def count(self, place: int) -> int:
        """Return the most reports, of those that a claim may know, that give it; of a wrong one the most."""
        counts = self.counts(place)
        return next((each for each in reversed(counts) if abs(self.off(place, each)) <= self.held.slack), counts[-1])

    def fits(self, places: Rows, position: Ints) -> Mask:
        """Return which claims a position after each count of reports gives, of any count that they may know."""
        held = self.held
        claimed, low, high = held.claimed[places], held.low[places], held.high[places]
        out = np.asarray(np.abs(claimed - position[high]) <= held.slack)
        out |= np.asarray(np.abs(claimed - position[low]) <= held.slack)
        for n in np.flatnonzero(~out & (high - low > 1)).tolist():
            out[n] = np.any(np.abs(position[low[n] : high[n] + 1] - claimed[n]) <= held.slack)
        return out

    @cached_property
    def wrong(self) -> Rows:
        """Places of the claims that no state known at their time gives."""
        return np.flatnonzero(~self.fits(np.arange(len(self.held.line)), self.held.position))

    @cached_property
    def moved(self) -> Rows:
        """By what each report moved the position, in units."""
        return times_power_of_ten(self.known.moved, self.held.digits - self.known.digits)

    @cached_property
    def sides(self) -> Rows:
        """+1 for each report that buys, -1 for one that sells."""
        return np.where(fills_table(self.session).words("side").is_("buy")[self.known.line.rows], 1, -1)

    @cached_property
    def sized(self) -> Rows:
        """By what each report would have moved the position without its base fee, in units."""
        return times_power_of_ten(self.known.filled * self.sides, self.held.digits - self.known.digits)

    def kind(self, *names: str) -> Mask:
        """Return which reports are of one of these kinds."""
        return fills_table(self.session).words("kind").is_(*names)[self.known.line.rows]

    def report(self, n: int) -> str:
        """Name the row of a report."""
        return fills_table(self.session).where(int(self.known.line.rows[n]))

    def last_price(self, count: int) -> Fraction:
        """Return the price of the newest of the first reports, 0 where there is none."""
        return next((self.known.price(n) for n in range(count - 1, -1, -1) if self.known.prices[n]), Fraction(0))

    def worth(self, units: int, count: int) -> Fraction | None:
        """Return what a quantity is worth at the price of the newest of the first reports; None where there is none."""
        price = self.last_price(count)
        return notional(self.instrument, price, abs(self.qty(units))) if price else None


@lru_cache(maxsize=64)
def told_of(session: Session, symbol: str) -> Told:
    """Read the claims of one symbol's position and what they are held to."""
    return Told(session, executions(session, symbol), held(session, symbol))


def judged(session: Session) -> Iterator[Told | str]:
    """Yield what the bot claims of each symbol, or a note on why it cannot be held to the fills.

    Parameters
    ----------
    session : Session
        With fills and positions.
    """
    symbols = session.table("positions", "symbol").words("symbol")
    need_instruments(session, "positions", symbols)
    for symbol in symbols.names:
        told = told_of(session, symbol)
        if not len(told.held.line):
            continue
        known = told.known
        opening, flaws = opening_of(session, told.instrument, known.line)
        short = short_of_opening(session, told.instrument, known.line, opening, known.position)
        if opening.known == "unknown" or short:
            yield (*flaws, *short)[0]
        else:
            yield told


def order_qty(told: Told, n: int) -> int:
    """Return the quantity that a report's order had when it arrived, in units, 0 where it is not known."""
    replayed, life = flow(told.session), int(told.known.life[n])
    rows = replayed.lives.rows_of(life)
    newest = int(np.searchsorted(rows, np.searchsorted(replayed.heard, told.known.line.times[n], side="right"))) - 1
    at = int(replayed.qty_at[rows[max(newest, 0)]])
    return int(replayed.table.decimals("qty").fraction(at) * 10**told.held.digits) if at >= 0 else 0


def report_line(told: Told, n: int) -> str:
    """Write a report as the position takes it: place, side, quantity, base fee, by what it moves."""
    fills, row = fills_table(told.session), int(told.known.line.rows[n])
    name, kind = fills.words("exec_id").text(row), fills.words("kind").text(row)
    moved = decimal_text(told.qty(told.moved[n]))
    side, qty = fills.words("side").text(row), decimal_text(fills.decimals("qty").fraction(row))
    if told.known.repeated[n]:
        return f"{told.report(n)} repeats {name}: 0"
    if kind in ("correction", "bust"):
        terms = f" to {qty}" if kind == "correction" else ""
        return f"{told.report(n)} {kind} of {fills.words('correction_of').text(row)}{terms}: {moved}"
    is_paid = told.instrument.kind == "spot" and fills.words("fee_asset").text(row) == told.instrument.base
    fee = f", fee {decimal_text(fills.decimals('fee').fraction(row))} {told.instrument.base}" if is_paid else ""
    return f"{told.report(n)} {name}: {side} {qty}{fee}: {moved}"


def sum_lines(told: Told, start: Fraction, since: int, until: int) -> tuple[str, ...]:
    """Add the reports from number `since` up to `until`, that one left out, to a start."""
    first = since if until - since <= _SHOWN + 1 else until - _SHOWN
    early, shown = range(since, first), range(first, until)
    lines, terms, total = [], [text(start)], start
    if early:
        rest = told.qty(sum(int(told.moved[n]) for n in early))
        lines.append(f"{len(early)} reports, {told.report(early[0])} to {told.report(early[-1])}: {decimal_text(rest)}")
        terms, total = [*terms, text(rest)], total + rest
    for n in shown:
        moved = told.qty(told.moved[n])
        lines.append(report_line(told, n))
        terms, total = [*terms, text(moved)], total + moved
    return (*lines, f"{' + '.join(terms)} = {decimal_text(total)}" if lines else f"no fill: {decimal_text(total)}")


def since_right(told: Told, place: int) -> tuple[str, int]:
    """Return the newest right claim before a place in words, else the opening, and how many reports it knew."""
    for before in range(place - 1, -1, -1):
        if told.is_right(before):
            return f"{told.where(before)} is right: {decimal_text(told.claimed(before))}", told.count(before)
        if place - before > 10**4:
            break
    return f"the session starts at {decimal_text(told.qty(told.held.position[0]))}", 0


def claim_work(told: Told, place: int) -> tuple[str, ...]:
    """Work a wrong claim: the newest right one before it, each report since, their sum, by how much it is off."""
    count = told.count(place)
    start, since = since_right(told, place)
    since = min(since, count)
    return (
        start,
        *sum_lines(told, told.qty(told.held.position[since]), since, count),
        f"{told.where(place)} claims {decimal_text(told.claimed(place))}: off by "
        f"{decimal_text(told.qty(told.off(place, count)))}",
    )


def claim_offs(told: Told, place: int) -> tuple[Off, ...]:
    """Say by how much a claim is off, by any count of reports that it may know, give or take its rounding."""
    offs, slack = [told.qty(off) for off in told.offs(place)], told.qty(told.held.slack)
    return (Off("position", int(told.held.line.times[place]), min(offs) - slack, max(offs) + slack),)


def apart_offs(told: Told, row: int, place: int) -> tuple[Off, ...]:
    """Say by how much a claim is off the exchange's position of a row, give or take the rounding of both."""
    qty = told.table.decimals("qty")
    off, slack = told.claimed(place) - qty.fraction(row), told.qty(told.held.slack) + qty.tolerance(row)
    return (Off("position", int(told.table.whole("ts_local").values[row]), off - slack, off + slack),)


def claim_places(told: Told, places: Sequence[int], count: int) -> tuple[str, ...]:
    """Name the first wrong claims, and the newest report that the first of them knew."""
    named = [told.where(place) for place in places[:4]]
    return (*named, told.report(count - 1)) if count else tuple(named)


def largest(told: Told, places: Sequence[int]) -> Fraction | None:
    """Return what wrong claims are off by where it is most, at the price of the newest report then."""
    at, held = np.asarray(places), told.held
    place = int(at[np.argmax(np.abs(held.claimed[at] - held.position[held.high[at]]))])
    count = told.count(place)
    return told.worth(told.off(place, count), count)
