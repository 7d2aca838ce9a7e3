"""The books that the fills give: position, realized P&L, open cost and fees of each symbol after every report.

One ledger a symbol, replayed in the order in which the bot booked, exactly: what the checks of 1.3 hold claims to. A
known mistake (another cost basis, the order's price for the fill's) is replayed by the same code, to see which one
reproduces a wrong claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import count
from math import lcm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.exact import Column, plus, times
from mmverify.checks.fee_steps import FEE_UNIT as FEE_UNIT
from mmverify.checks.fee_steps import Booked, FeeSteps, fee_steps
from mmverify.checks.known import Rows, Timeline, timeline
from mmverify.numeric import INT64_MAX, Ints, Mask, largest
from mmverify.replay.lots import Running, match
from mmverify.session.load import Session, Table, need_instruments

GUARD = 10**30  # rounding of a reciprocal or of an average cost happens this far below the last digit
_FOREVER = 2**63 - 1
_MANY = 50_000  # fills, of which a dozen wrong books would take more memory than all the rest


@dataclass(frozen=True)
class Instrument:
    """A market: contract kind, currencies, multiplier, and its fee rates with the times that they hold from."""

    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    multiplier: Fraction
    schedule: tuple[tuple[int, Fraction | None, Fraction | None], ...]

    def rate(self, liquidity: str, at: int) -> Fraction | None:
        """Return the fee rate of a liquidity side in force at a time, None where the venue states none."""
        held = [row for row in self.schedule if row[0] <= at] or list(self.schedule[:1])
        return {"maker": held[-1][1], "taker": held[-1][2]}.get(liquidity)


@lru_cache(maxsize=8)
def instruments(session: Session) -> dict[str, Instrument]:
    """Read the instruments of a session by symbol."""
    table = session.table(
        "instruments", "symbol", "kind", "base", "quote", "settle", "multiplier", "maker_fee", "taker_fee", "ts_from"
    )
    word = {name: table.words(name) for name in ("symbol", "kind", "base", "quote", "settle")}
    number = {name: table.decimals(name) for name in ("multiplier", "maker_fee", "taker_fee")}
    since = table.whole("ts_from")

    def value(name: str, row: int) -> Fraction | None:
        return number[name].fraction(row) if number[name].known[row] else None

    out = {}
    for symbol in word["symbol"].names:
        rows = sorted(
            (int(row) for row in np.flatnonzero(word["symbol"].is_(symbol))),
            key=lambda row: -(2**63) if since.missing[row] else int(since.values[row]),
        )
        first = rows[0]
        kind, base, quote = (word[name].text(first) for name in ("kind", "base", "quote"))
        out[symbol] = Instrument(
            symbol,
            kind,
            base,
            quote,
            word["settle"].text(first) or (base if kind == "inverse" else quote),
            value("multiplier", first) or Fraction(1),
            tuple(
                (
                    -(2**63) if since.missing[row] else int(since.values[row]),
                    value("maker_fee", row),
                    value("taker_fee", row),
                )
                for row in rows
            ),
        )
    return out


@dataclass(frozen=True, eq=False)
class Ledger:
    """What one symbol's fills amount to, after each of its reports.

    Element ``n`` of `position`, `realized`, `cost` and `fees` is the state after the first ``n`` reports of `line`.

    Parameters
    ----------
    instrument : Instrument
    line : Timeline
        The reports (rows of `fills`) in booking order; a repeated or correcting one is a report too.
    orders : ndarray of int32
        Code of each report's client_order_id, -1 where it has none.
    prices : Column
        The price of each report as it was booked, in units of ``1 / price_unit``.
    position : Column
        Signed quantity in units of ``1 / qty_unit``.
    realized, cost : Column
        Realized P&L gross of fees, and signed open quantity times entry value, in units of ``1 / money_unit`` of the
        settlement currency.
    fee_steps : FeeSteps
    opened : int
        States before this one have an entry price that nothing states, or none at all.
    trusted_until : int
        Time up to which the venue confirms that no fill is missing.
    flaws : tuple of str
        What could not be valued, said in the notes.
    starts_known : bool
        Whether the quantity held before the first report is known.
    """

    instrument: Instrument
    line: Timeline
    orders: NDArray[np.int32]
    prices: Column
    price_unit: int
    deltas: Column
    position: Column
    realized: Column
    cost: Column
    fee_steps: FeeSteps
    qty_unit: int
    money_unit: Fraction
    opened: int
    trusted_until: int
    flaws: tuple[str, ...]
    starts_known: bool

    def qty_at(self, n: int) -> Fraction:
        """Signed position after `n` reports."""
        return Fraction(self.position[n], self.qty_unit)

    def realized_at(self, n: int) -> Fraction:
        """Realized P&L after `n` reports, gross, in the settlement currency."""
        return self.realized[n] * self.money_unit

    def fees_at(self, n: int, reading: int = 0) -> Fraction:
        """Fees after `n` reports, in the settlement currency."""
        return Fraction(self.fees[reading][n], FEE_UNIT)

    def unrealized_at(self, n: int, price: Fraction) -> Fraction:
        """Unrealized P&L after `n` reports at a price, in the settlement currency."""
        value = -1 / price if self.instrument.kind == "inverse" else price
        return self.qty_at(n) * value * self.instrument.multiplier - self.cost[n] * self.money_unit

    @cached_property
    def fees(self) -> tuple[Column, ...]:
        """Fees of every state in the settlement currency, in units of 1e-30, once a reading of the rate."""
        return tuple(steps.sums() for steps in self.fee_steps.readings)

    @cached_property
    def fee_slack(self) -> Column:
        """What the fees of every state may differ by, in units of 1e-30."""
        return self.fee_steps.slack.sums()

    @cached_property
    def realized_floats(self) -> NDArray[np.float64]:
        """`realized_at` of every state as float64."""
        return self.realized.ints.astype(np.float64) * float(self.money_unit)

    @cached_property
    def cost_floats(self) -> NDArray[np.float64]:
        """Open cost of every state as float64, in the settlement currency."""
        return self.cost.ints.astype(np.float64) * float(self.money_unit)

    @cached_property
    def qty_floats(self) -> NDArray[np.float64]:
        """Position of every state as float64."""
        return self.position.ints.astype(np.float64) / float(self.qty_unit)

    @cached_property
    def fee_floats(self) -> NDArray[np.float64]:
        """`fees_at` of every state as float64."""
        return self.fees[0].ints.astype(np.float64) / float(FEE_UNIT // self.fees[0].factor)

    def split_orders(self) -> bool:
        """Say whether an order was filled in several parts at different prices."""
        counted = np.flatnonzero((self.orders >= 0) & np.asarray(self.deltas.ints != 0))
        counted = counted[np.argsort(self.orders[counted], kind="stable")]
        orders, prices = self.orders[counted], self.prices.ints[counted]
        return bool(np.any((orders[1:] == orders[:-1]) & np.asarray(prices[1:] != prices[:-1])))

    @cached_property
    def closings(self) -> NDArray[np.int64]:
        """How many reports up to each state realized anything."""
        realized = self.realized.ints
        return np.concatenate([[0], np.cumsum(np.asarray(realized[1:] != realized[:-1]))]).astype(np.int64)


@dataclass(frozen=True)
class Mistake:
    """A known way to book fills wrongly; the default is the right one."""

    cost_basis: str = ""
    order_price: bool = False
    arithmetic_entry: bool = False
    linear_formula: bool = False
    no_multiplier: bool = False
    venue_order: bool = False
    count_repeats: bool = False
    ignore_corrections: bool = False
    ignore_base_fee: bool = False
    order_average: str = ""


RIGHT = Mistake()
_COLUMNS = (
    "ts_exchange", "ts_local", "symbol", "exec_id", "client_order_id", "side", "price", "qty", "liquidity", "fee",
    "fee_asset", "fee_rate", "correction_of", "kind",
)  # fmt: skip


def fills_table(session: Session) -> Table:
    """Read the columns of `fills` that the books need."""
    table = session.table("fills", *_COLUMNS)
    need_instruments(session, "fills", table.words("symbol"))
    return table


def ledger(session: Session, symbol: str, mistake: Mistake = RIGHT) -> Ledger:
    """Replay the fills of one symbol; the books are kept, of many fills only the right ones.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.
    mistake : Mistake
        How to book wrongly; rightly by default.
    """
    if mistake != RIGHT and len(fills_table(session)) > _MANY:
        return _booked(session, symbol, mistake)
    return _kept(session, symbol, mistake)


@lru_cache(maxsize=256)
def _kept(session: Session, symbol: str, mistake: Mistake) -> Ledger:
    return _booked(session, symbol, mistake)


def _booked(session: Session, symbol: str, mistake: Mistake) -> Ledger:
    table, instrument = fills_table(session), instruments(session)[symbol]
    line = timeline(session, table, table.words("symbol").is_(symbol))
    if mistake.venue_order:
        venue = table.whole("ts_exchange")
        at = np.where(venue.missing[line.rows], line.times, venue.values[line.rows])
        line = Timeline(line.rows[np.argsort(at, kind="stable")], line.times, line.before, line.after)
    rows = line.rows
    price, qty, fee = table.decimals("price"), table.decimals("qty"), table.decimals("fee")
    in_base = table.words("fee_asset").is_(instrument.base)[rows] & (instrument.kind == "spot")
    opening, more = opening_of(session, instrument, line)
    qty_scale = max(qty.scale, fee.scale if in_base.any() else 0, _digits(opening.qty))
    prices = _order_prices(session, table, rows) if mistake.order_price else price.ints[rows]
    direction = np.where(table.words("side").is_("buy")[rows], 1, -1)
    sizes = qty.at_scale(qty_scale)[rows] * direction
    paid = np.zeros(len(rows), dtype=np.int64)
    if in_base.any() and not mistake.ignore_base_fee:
        paid = np.where(in_base, fee.at_scale(qty_scale)[rows], 0)
    deltas = plus(sizes, -paid)
    price_unit = 10**price.scale
    flaws: list[str] = []
    segments, repeats = restatements(table, rows, mistake, flaws)
    if mistake.order_average:  # an average is finer than any fill's price
        price_unit *= GUARD
        once = ~(repeats | table.words("kind").is_("correction", "bust")[rows])
        prices = _order_averages(table, rows, prices, deltas, once, mistake.order_average)
    basis = mistake.cost_basis or session.convention("cost_basis")
    inverse = instrument.kind == "inverse" and not mistake.linear_formula
    fine = (opening.price * price_unit).denominator != 1
    guard = GUARD if inverse or basis == "average" or fine else 1
    reciprocal = inverse and not mistake.arithmetic_entry

    def value(p: Fraction | int) -> int:
        """Entry or exit value of a unit bought at `p` / price_unit, so that a gain is exit less entry value."""
        if reciprocal:
            return -int(guard * price_unit // p) if p else 0
        return int(p * guard)

    value_unit = guard if reciprocal else guard * price_unit
    flaws += more
    if worthless := instrument.kind == "inverse" and bool(np.any(prices == 0)):
        flaws.append(f"{symbol}: a fill at price 0 has no P&L on an inverse contract")
    lot = (int(opening.qty * 10**qty_scale), value(opening.price * price_unit)) if opening.qty else None
    booked = Booked(
        table, rows, line.times, instrument.settle, instrument.base if instrument.kind == "spot" else instrument.settle,
        prices, price_unit, segments, repeats,
    )  # fmt: skip
    steps, fee_flaws = fee_steps(session, booked)
    reports = _Reports(
        [value(p) for p in prices.tolist()], prices.tolist(), deltas.tolist(), sizes.tolist(), paid.tolist()
    )
    run = _replay(reports, segments, repeats, basis, lot, value)
    position, realized, cost = (Column.of(each) for each in (run.position, run.realized, run.cost))
    if mistake.arithmetic_entry and inverse:
        realized, cost = _arithmetic_inverse(reports.prices, reports.deltas, price_unit)
        value_unit = GUARD
    if mistake.linear_formula and instrument.kind == "inverse":
        instrument = replace(instrument, kind="linear")
    if mistake.no_multiplier:
        instrument = replace(instrument, multiplier=Fraction(1))
    flat = int(np.append(np.flatnonzero(position.ints == 0), len(position))[0])
    opened = {"stated": 0, "unstated": 0, "without a price": flat, "unknown": len(position)}[opening.known]
    short = short_of_opening(session, instrument, line, opening, position.ints)
    if worthless or short:
        opened = len(position)
    return Ledger(
        instrument=instrument,
        line=line,
        orders=table.words("client_order_id").codes[rows],
        prices=Column.of(reports.prices),
        price_unit=price_unit,
        deltas=Column.of(reports.deltas),
        position=position,
        realized=realized,
        cost=cost,
        fee_steps=steps,
        qty_unit=10**qty_scale,
        money_unit=instrument.multiplier / (value_unit * 10**qty_scale),
        opened=opened,
        trusted_until=trusted_until(session, instrument, line, position, 10**qty_scale),
        flaws=(*flaws, *fee_flaws, *short),
        starts_known=opening.known != "unknown" and not short,
    )


@dataclass(frozen=True, eq=False)
class _Reports:
    """What each report booked, as it stands corrected: value, price, signed quantity; its size, its fee in base."""

    values: list[int]
    prices: list[int]
    deltas: list[int]
    sizes: list[int]
    paid: list[int]


def _replay(
    reports: _Reports,
    segments: list[tuple[int, int, bool]],
    repeats: NDArray[np.bool_],
    basis: str,
    lot: tuple[int, int] | None,
    value: Callable[[Fraction | int], int],
) -> Running:
    """Match lots; where a report restates an earlier one, match again as if it had always been so.

    What comes before the earlier one stays: matching goes on from the last state before it that is flat or one lot.
    """
    values, deltas, paid = reports.values, reports.deltas, list(reports.paid)
    for still in [*np.flatnonzero(repeats).tolist(), *(n for n, _, _ in segments)]:
        deltas[still] = 0
    start = (lot[0], 0, lot[0] * lot[1]) if lot else (0, 0, 0)
    now = Running([start[0]], [start[1]], [start[2]])
    told = now if not segments else Running([start[0]], [start[1]], [start[2]])
    same = 0
    for n, target, bust in [*segments, (len(deltas), -1, False)]:
        done = len(told.position) - 1 if segments else 0
        since = _single_lot(now.position, min(same, done))
        opening = (now.position[since], values[since - 1]) if since else lot
        run = match(
            values[since:n], deltas[since:n], cost_basis=basis, opening=opening if opening and opening[0] else None
        )
        gained = now.realized[since]
        now.position[since + 1 :] = run.position
        now.realized[since + 1 :] = [gained + each for each in run.realized] if gained else run.realized
        now.cost[since + 1 :] = run.cost
        if segments:
            told.position.extend(now.position[done + 1 :])
            told.realized.extend(now.realized[done + 1 :])
            told.cost.extend(now.cost[done + 1 :])
        same = target
        if target >= 0:
            paid[target] += reports.paid[n]
            deltas[target] = (0 if bust else reports.sizes[n]) - paid[target]
            values[target], reports.prices[target] = value(reports.prices[n]), reports.prices[n]
    return told


def _single_lot(position: list[int], until: int) -> int:
    """Return the last state up to `until` that is flat, or one lot of the report before it: the position has turned."""
    for n in range(until, 0, -1):
        if not position[n] or position[n] * position[n - 1] < 0:
            return n
    return 0


def restatements(
    table: Table, rows: Rows, mistake: Mistake, flaws: list[str]
) -> tuple[list[tuple[int, int, bool]], NDArray[np.bool_]]:
    """Find repeated reports, and corrections and busts with the report that each restates."""
    ids = table.words("exec_id").codes[rows]
    _, first = np.unique(ids, return_index=True)
    repeats = np.ones(len(rows), dtype=bool)
    repeats[first] = False
    kind = table.words("kind")
    restating = kind.is_("correction", "bust")[rows]
    if mistake.count_repeats:
        repeats = np.zeros(len(rows), dtype=bool)
    if not restating.any() or mistake.ignore_corrections:
        return ([], repeats | restating) if mistake.ignore_corrections else ([], repeats)
    again = np.flatnonzero(restating & ~repeats)
    named = sorted({table.words("correction_of").text(int(rows[n])) for n in again})
    of_code = dict(zip(ids[first].tolist(), first.tolist(), strict=True))
    codes = zip(named, table.words("exec_id").codes_of(named), strict=True)
    place = {name: of_code[code] for name, code in codes if code in of_code}
    segments = []
    root: dict[int, int] = {}
    for n in again:
        of = table.words("correction_of").text(int(rows[n]))
        if of not in place:
            flaws.append(f"{table.where(int(rows[n]))} restates {of or 'no execution'}, which is not in the fills")
            repeats[n] = True
            continue
        target = root.get(place[of], place[of])
        root[int(n)] = target
        segments.append((int(n), target, kind.text(int(rows[n])) == "bust"))
    return segments, repeats


def _arithmetic_inverse(prices: list[int], deltas: list[int], price_unit: int) -> tuple[Column, Column]:
    """Realized P&L and cost of an inverse contract whose entry is averaged arithmetically: in units of 1 / 1e30."""
    held, entry, gains, costs = 0, Fraction(0), [0], [0]
    for price, delta in zip(prices, deltas, strict=True):
        gain = 0
        if held * delta >= 0:
            size = abs(held) + abs(delta)
            entry = (entry * abs(held) + Fraction(price * abs(delta))) / size if size else entry
            entry = Fraction(round(entry * GUARD), GUARD)
        else:
            closed = min(abs(held), abs(delta)) * (1 if held > 0 else -1)
            gain = round(closed * (1 / entry - Fraction(1, price)) * price_unit * GUARD) if entry and price else 0
            entry = entry if abs(delta) <= abs(held) else Fraction(price)
        held += delta
        gains.append(gains[-1] + gain)
        costs.append(round(-held / entry * price_unit * GUARD) if entry else 0)
    return Column.of(gains), Column.of(costs)


def _order_prices(session: Session, table: Table, rows: Rows) -> Ints:
    """Return, in the scale of fills.price, the last price that each fill's order was sent with before it."""
    events = session.table("order_events", "ts_local", "client_order_id", "event", "price")
    price, unit = events.decimals("price"), 10 ** table.decimals("price").scale
    sent = np.flatnonzero(events.words("event").is_("submit", "replace_request", "replace_ack") & price.known)
    ids, at = events.words("client_order_id"), events.whole("ts_local").values[sent].tolist()
    stories: dict[int, list[tuple[int, int]]] = {}
    for row, code, time in zip(sent.tolist(), ids.codes[sent].tolist(), at, strict=True):
        stories.setdefault(code, []).append((time, round(price.fraction(row) * unit)))
    named = {name: stories[code] for code, name in enumerate(ids.names) if code in stories}
    orders = table.words("client_order_id")
    own = [named.get(name, []) for name in orders.names] + [stories.get(-1, [])]  # the last is for no name
    out = table.decimals("price").ints[rows].tolist()
    booked = zip(orders.codes[rows].tolist(), table.whole("ts_local").values[rows].tolist(), strict=True)
    for n, (code, time) in enumerate(booked):
        before = [p for at, p in own[code] if at <= time]
        out[n] = before[-1] if before else out[n]
    return Column.of(out).ints


def _order_averages(table: Table, rows: Rows, prices: Ints, deltas: Ints, once: Mask, how: str) -> Ints:
    """Return each fill's price as the average over its order's fills: by quantity, or of the bare prices; in GUARDs."""
    orders = table.words("client_order_id").codes[rows]
    counted = np.flatnonzero((orders >= 0) & once)
    counted = counted[np.argsort(orders[counted], kind="stable")]
    out = times(prices, GUARD)
    if counted.size:
        weights = np.abs(deltas[counted]) if how == "weighted" else np.ones(len(counted), dtype=np.int64)
        starts = np.flatnonzero(np.diff(orders[counted], prepend=-1))
        sizes = np.diff(starts, append=len(counted))
        totals, whole = (np.add.reduceat(_wide(each), starts) for each in (times(weights, prices[counted]), weights))
        averaged = np.flatnonzero((sizes > 1) & np.asarray(whole != 0))
        means = [round(Fraction(int(totals[n]) * GUARD, int(whole[n]))) for n in averaged]
        chosen = np.repeat(np.isin(np.arange(len(sizes)), averaged), sizes)
        out = out.astype(object)
        out[counted[chosen]] = np.repeat(np.array(means, dtype=object), sizes[averaged])
    return out


def _wide(ints: Ints) -> Ints:
    """Return integers whose sums int64 holds, else as Python integers."""
    return ints if largest(ints) * len(ints) <= INT64_MAX else ints.astype(object)


@dataclass(frozen=True)
class Opening:
    """What was held before the first fill: one lot, and what of it is stated."""

    qty: Fraction
    price: Fraction
    known: Literal["stated", "unstated", "without a price", "unknown"]


def _digits(value: Fraction) -> int:
    """Return the digits after the point of a decimal."""
    return next(digits for digits in count() if (value * 10**digits).denominator == 1)


def opening_of(session: Session, instrument: Instrument, line: Timeline) -> tuple[Opening, list[str]]:
    """Return the opening lot, and what there is to say about it."""
    first = int(line.times[0]) if len(line) else _FOREVER
    qty, price, is_stated = Fraction(0), None, False
    for table_name, key, value, number in (
        ("balances", "asset", instrument.base, "total"),
        ("positions", "symbol", instrument.symbol, "qty"),
    ):
        if table_name == "balances" and instrument.kind != "spot":
            continue
        table = session.table(table_name)
        which = table.words("source").is_("exchange") & table.words(key).is_(value) & table.decimals(number).known
        stated = timeline(session, table, which)
        before = int(np.searchsorted(stated.times, first, side="left"))
        known = before or int(np.searchsorted(stated.times, first, side="right"))
        if not known:
            continue
        row, is_stated = int(stated.rows[0 if first == _FOREVER else known - 1]), True
        qty = table.decimals(number).fraction(row)
        if table_name == "positions" and table.decimals("avg_px").known[row]:
            price = table.decimals("avg_px").fraction(row) or None
    if not qty or price is not None:
        return Opening(qty, price or Fraction(1), "stated" if is_stated else "unstated"), []
    sharing = [i for i in instruments(session).values() if (i.kind, i.base) == ("spot", instrument.base)]
    if instrument.kind == "spot" and len(sharing) > 1:
        return Opening(Fraction(0), Fraction(1), "unknown"), [
            f"{instrument.base} is the base of several markets: whose opening it is nothing states"
        ]
    return Opening(qty, Fraction(1), "without a price"), [
        f"{instrument.symbol}: the opening position has no avg_px; P&L is assessed once it was flat"
    ]


def short_of_opening(
    session: Session, instrument: Instrument, line: Timeline, opening: Opening, position: Ints
) -> tuple[str, ...]:
    """Say that a spot position cannot have started at 0: nothing states it, and its fills alone make it short.

    It can on margin: where any position of the symbol or balance of its base is below 0.
    """
    short = np.flatnonzero(np.asarray(position < 0))
    if instrument.kind != "spot" or opening.known != "unstated" or not short.size:
        return ()
    for name, key, value, number in (
        ("positions", "symbol", instrument.symbol, "qty"),
        ("balances", "asset", instrument.base, "total"),
    ):
        table = session.table(name, key, number)
        if np.any(table.words(key).is_(value) & np.asarray(np.less(table.decimals(number).ints, 0))):
            return ()
    return (
        f"{instrument.symbol}: its fills alone make it short by fills:{int(line.rows[int(short[0]) - 1]) + 1}, so what "
        "it held at the start is not stated and was not 0: position and P&L are not judged",
    )


def trusted_until(session: Session, instrument: Instrument, line: Timeline, position: Sequence[int], unit: int) -> int:
    """Return the time of the newest position or balance of the venue's that agrees with the fills."""
    if session.settings.get("session", {}).get("fills_from") == "venue":
        return _FOREVER
    newest = -_FOREVER
    for table_name, key, value, number in (
        ("balances", "asset", instrument.base, "total"),
        ("positions", "symbol", instrument.symbol, "qty"),
    ):
        if table_name == "balances" and instrument.kind != "spot":
            continue
        table = session.table(table_name)
        which = table.words("source").is_("exchange") & table.words(key).is_(value) & table.decimals(number).known
        stated = timeline(session, table, which)
        fewest, most = line.span(stated.times)
        for at, row, low, high in zip(stated.times, stated.rows, fewest, most, strict=True):
            held = table.decimals(number).fraction(int(row)) * unit
            if any(position[n] == held for n in range(int(low), int(high) + 1)):
                newest = max(newest, int(at))
    return newest


@dataclass(frozen=True, eq=False)
class Payments:
    """Funding payments of one symbol in the order in which the bot learnt of them, received positive."""

    line: Timeline
    amounts: tuple[Fraction, ...]
    asset: str

    @cached_property
    def sums(self) -> tuple[Column, Fraction]:
        """The sums of the first payments, from none to all, and their unit."""
        unit = lcm(*(amount.denominator for amount in self.amounts))
        return Column.of([int(amount * unit) for amount in self.amounts]).sums(), Fraction(1, unit)


@lru_cache(maxsize=64)
def payments(session: Session, symbol: str) -> Payments:
    """Read the funding payments of one symbol."""
    table = session.table("funding", "ts_exchange", "ts_local", "symbol", "amount", "asset")
    line = timeline(session, table, table.words("symbol").is_(symbol))
    amounts, assets = table.decimals("amount"), table.words("asset")
    named = [assets.text(int(row)) for row in line.rows]
    asset = next((name for name in named if name), session.currency or instruments(session)[symbol].settle)
    return Payments(line, tuple(amounts.fraction(int(row)) for row in line.rows), asset)
