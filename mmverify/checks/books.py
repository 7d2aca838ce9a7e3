"""The books that the fills give: position, realized P&L, open cost and fees of each symbol after every report.

One ledger a symbol, replayed in the order in which the bot booked, exactly: what the checks of 1.3 hold claims to. A
known mistake (another cost basis, the order's price for the fill's) is replayed by the same code, to see which one
reproduces a wrong claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate, count

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rates, Rows, Timeline, timeline
from mmverify.numeric import Mask
from mmverify.replay.lots import match
from mmverify.session.load import Session, Table, need_instruments

GUARD = 10**30  # rounding of a reciprocal or of an average cost happens this far below the last digit
FEE_UNIT = 10**30
_FOREVER = 2**63 - 1


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
    prices : list of int
        The price of each report as it was booked, in units of ``1 / price_unit``.
    position : list of int
        Signed quantity in units of ``1 / qty_unit``.
    realized, cost : list of int
        Realized P&L gross of fees, and signed open quantity times entry value, in units of ``1 / money_unit`` of the
        settlement currency.
    fee_steps : FeeSteps
    opened : int
        States before this one have an entry price that nothing states, or none at all.
    trusted_until : int
        Time up to which the venue confirms that no fill is missing.
    flaws : tuple of str
        What could not be valued, said in the notes.
    """

    instrument: Instrument
    line: Timeline
    orders: NDArray[np.int32]
    prices: list[int]
    price_unit: int
    deltas: list[int]
    position: list[int]
    realized: list[int]
    cost: list[int]
    fee_steps: FeeSteps
    qty_unit: int
    money_unit: Fraction
    opened: int
    trusted_until: int
    flaws: tuple[str, ...]

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
    def fees(self) -> tuple[list[int], ...]:
        """Fees of every state in the settlement currency, in units of 1e-30, once a reading of the rate."""
        return tuple(cumulate(steps) for steps in self.fee_steps.readings)

    @cached_property
    def fee_slack(self) -> list[int]:
        """What the fees of every state may differ by, in units of 1e-30."""
        return cumulate(self.fee_steps.slack)

    @cached_property
    def realized_floats(self) -> NDArray[np.float64]:
        """`realized_at` of every state as float64."""
        return np.array(self.realized, dtype=np.float64) * float(self.money_unit)

    @cached_property
    def cost_floats(self) -> NDArray[np.float64]:
        """Open cost of every state as float64, in the settlement currency."""
        return np.array(self.cost, dtype=np.float64) * float(self.money_unit)

    @cached_property
    def qty_floats(self) -> NDArray[np.float64]:
        """Position of every state as float64."""
        return np.array(self.position, dtype=np.float64) / float(self.qty_unit)

    @cached_property
    def fee_floats(self) -> NDArray[np.float64]:
        """`fees_at` of every state as float64."""
        return np.array(self.fees[0], dtype=np.float64) / float(FEE_UNIT)

    def split_orders(self) -> bool:
        """Say whether an order was filled in several parts at different prices."""
        prices: dict[int, set[int]] = {}
        for order, price, delta in zip(self.orders.tolist(), self.prices, self.deltas, strict=True):
            if order >= 0 and delta:
                prices.setdefault(order, set()).add(price)
        return any(len(each) > 1 for each in prices.values())

    @cached_property
    def closings(self) -> NDArray[np.int64]:
        """How many reports up to each state realized anything."""
        realized = np.array(self.realized, dtype=object)
        return np.concatenate([[0], np.cumsum(realized[1:] != realized[:-1])]).astype(np.int64)


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


@lru_cache(maxsize=256)
def ledger(session: Session, symbol: str, mistake: Mistake = RIGHT) -> Ledger:
    """Replay the fills of one symbol.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.
    mistake : Mistake
        How to book wrongly; rightly by default.
    """
    table, instrument = fills_table(session), instruments(session)[symbol]
    line = timeline(session, table, table.words("symbol").is_(symbol))
    if mistake.venue_order:
        venue = table.whole("ts_exchange")
        times = np.where(venue.missing[line.rows], line.times, venue.values[line.rows])
        line = Timeline(line.rows[np.argsort(times, kind="stable")], line.times, line.before, line.after)
    rows = line.rows
    price, qty, fee = table.decimals("price"), table.decimals("qty"), table.decimals("fee")
    in_base = table.words("fee_asset").is_(instrument.base)[rows] & (instrument.kind == "spot")
    opening, more = opening_of(session, instrument, line)
    qty_scale = max(qty.scale, fee.scale if in_base.any() else 0, _digits(opening.qty))
    prices = [int(p) for p in (_order_prices(session, table, rows) if mistake.order_price else price.ints[rows])]
    direction = np.where(table.words("side").is_("buy")[rows], 1, -1)
    sizes = [int(size) for size in qty.at_scale(qty_scale)[rows] * direction]
    base_fees = [0] * len(rows)
    if in_base.any() and not mistake.ignore_base_fee:
        base_fees = [int(paid) for paid in np.where(in_base, fee.at_scale(qty_scale)[rows], 0)]
    deltas = [size - paid for size, paid in zip(sizes, base_fees, strict=True)]
    price_unit = 10**price.scale
    flaws: list[str] = []
    segments, repeats = restatements(table, rows, mistake, flaws)
    if mistake.order_average:  # an average is finer than any fill's price
        price_unit *= GUARD
        once = ~(repeats | table.words("kind").is_("correction", "bust")[rows])
        prices = _order_averages(table, rows, [p * GUARD for p in prices], deltas, once, mistake.order_average)
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
    if worthless := instrument.kind == "inverse" and 0 in prices:
        flaws.append(f"{symbol}: a fill at price 0 has no P&L on an inverse contract")
    lot = (int(opening.qty * 10**qty_scale), value(opening.price * price_unit)) if opening.qty else None
    as_booked = [Fraction(price, price_unit) for price in prices]
    fee_steps, fee_flaws = _fees(session, table, line, instrument, as_booked, segments, repeats)
    run = _replay([value(p) for p in prices], prices, deltas, segments, repeats, basis, lot, value, sizes, base_fees)
    position, realized, cost = run
    if mistake.arithmetic_entry and inverse:
        realized, cost = _arithmetic_inverse(prices, deltas, price_unit)
        value_unit = GUARD
    if mistake.linear_formula and instrument.kind == "inverse":
        instrument = replace(instrument, kind="linear")
    if mistake.no_multiplier:
        instrument = replace(instrument, multiplier=Fraction(1))
    flat = next((n for n, held in enumerate(position) if held == 0), len(position))
    opened = {"stated": 0, "without a price": flat, "unknown": len(position)}[opening.known]
    if worthless:
        opened = len(position)
    return Ledger(
        instrument=instrument,
        line=line,
        orders=table.words("client_order_id").codes[rows],
        prices=prices,
        price_unit=price_unit,
        deltas=deltas,
        position=position,
        realized=realized,
        cost=cost,
        fee_steps=fee_steps,
        qty_unit=10**qty_scale,
        money_unit=instrument.multiplier / (value_unit * 10**qty_scale),
        opened=opened,
        trusted_until=_trusted_until(session, instrument, line, position, 10**qty_scale),
        flaws=tuple(flaws + fee_flaws),
    )


def _replay(
    values: list[int],
    prices: list[int],
    deltas: list[int],
    segments: list[tuple[int, int, bool]],
    repeats: NDArray[np.bool_],
    basis: str,
    lot: tuple[int, int] | None,
    value: Callable[[Fraction | int], int],
    sizes: list[int],
    base_fees: list[int],
) -> tuple[list[int], list[int], list[int]]:
    """Match lots; where a report restates an earlier one, match again as if it had always been so."""
    for still in [*np.flatnonzero(repeats).tolist(), *(n for n, _, _ in segments)]:
        deltas[still] = 0
    paid = list(base_fees)
    start = (lot[0], 0, lot[0] * lot[1]) if lot else (0, 0, 0)
    position, realized, cost = [start[0]], [start[1]], [start[2]]
    done = 0
    for n, target, bust in [*segments, (len(deltas), -1, False)]:
        run = match(values[:n], deltas[:n], cost_basis=basis, opening=lot)
        position += run.position[done:n]
        realized += run.realized[done:n]
        cost += run.cost[done:n]
        done = n
        if target >= 0:
            paid[target] += base_fees[n]
            deltas[target] = (0 if bust else sizes[n]) - paid[target]
            values[target], prices[target] = value(prices[n]), prices[n]
    return position, realized, cost


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
    names = table.words("exec_id")
    place = {names.text(int(rows[n])): int(n) for n in first}
    segments = []
    root: dict[int, int] = {}
    for n in np.flatnonzero(restating & ~repeats):
        of = table.words("correction_of").text(int(rows[n]))
        if of not in place:
            flaws.append(f"{table.where(int(rows[n]))} restates {of or 'no execution'}, which is not in the fills")
            repeats[n] = True
            continue
        target = root.get(place[of], place[of])
        root[int(n)] = target
        segments.append((int(n), target, kind.text(int(rows[n])) == "bust"))
    return segments, repeats


def _arithmetic_inverse(prices: list[int], deltas: list[int], price_unit: int) -> tuple[list[int], list[int]]:
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
    return gains, costs


def _order_prices(session: Session, table: Table, rows: Rows) -> list[int]:
    """Return, in the scale of fills.price, the last price that each fill's order was sent with before it."""
    events = session.table("order_events", "ts_local", "client_order_id", "event", "price")
    price, unit = events.decimals("price"), 10 ** table.decimals("price").scale
    sent = events.words("event").is_("submit", "replace_request", "replace_ack") & price.known
    orders: dict[str, list[tuple[int, int]]] = {}
    for row in np.flatnonzero(sent):
        at = int(events.whole("ts_local").values[row])
        orders.setdefault(events.words("client_order_id").text(int(row)), []).append(
            (at, round(price.fraction(int(row)) * unit))
        )
    times = table.whole("ts_local").values
    out = []
    for row in rows:
        story = orders.get(table.words("client_order_id").text(int(row)), [])
        before = [p for at, p in story if at <= times[row]]
        out.append(before[-1] if before else int(table.decimals("price").ints[row]))
    return out


def _order_averages(table: Table, rows: Rows, prices: list[int], deltas: list[int], once: Mask, how: str) -> list[int]:
    """Return each fill's price as the average over its order's fills: by quantity, or of the bare prices."""
    orders = table.words("client_order_id").codes[rows]
    out = list(prices)
    for order in np.unique(orders[orders >= 0]):
        members = np.flatnonzero((orders == order) & once)
        weights = [abs(deltas[n]) if how == "weighted" else 1 for n in members]
        if len(members) > 1 and any(weights):
            total = sum(weight * prices[n] for weight, n in zip(weights, members, strict=True))
            for n in members:
                out[n] = round(Fraction(total, sum(weights)))
    return out


@dataclass(frozen=True, eq=False)
class FeeSteps:
    """The fee of each report in the settlement currency, in units of 1e-30, and what kind of asset it was paid in.

    Parameters
    ----------
    readings : tuple of list of int
        Once a reading of *the rate at the fill*: by the bot's clock with and without that very moment, by the venue's;
        of a fee in base also at the fill's price as corrected.
    paid : list of int
        As printed, unconverted.
    kinds : list of str
        ``settle``, ``base`` (of a spot market) or ``third``.
    slack : list of int
        What each may differ by: half a unit of the column's last digit, converted alike.
    """

    readings: tuple[list[int], ...]
    paid: list[int]
    kinds: list[str]
    slack: list[int]


def _fees(
    session: Session, table: Table, line: Timeline, instrument: Instrument, prices: list[Fraction],
    segments: list[tuple[int, int, bool]], repeats: NDArray[np.bool_],
) -> tuple[FeeSteps, list[str]]:  # fmt: skip
    fee, assets, rows = table.decimals("fee"), table.words("fee_asset"), line.rows
    settle = instrument.settle
    base = instrument.base if instrument.kind == "spot" else settle
    kinds = ["settle" if a == settle else "base" if a == base else "third" for a in map(assets.text, rows.tolist())]
    amounts = [Fraction(0) if repeats[n] else fee.fraction(int(row)) for n, row in enumerate(rows)]
    third = any(kind == "third" and amount for kind, amount in zip(kinds, amounts, strict=True))
    rates = Rates.of(session) if third else Rates({})
    venue = table.whole("ts_exchange")
    readings: list[list[int]] = []
    slack: list[int] = []
    flaws: list[str] = []
    for reading in range(3 if third else 1):
        steps = []
        for n, (row, kind, amount) in enumerate(zip(rows.tolist(), kinds, amounts, strict=True)):
            factor: Fraction | None = Fraction(1)
            if kind == "base":
                factor = prices[n]
            elif kind == "third" and amount:
                at = int(venue.values[row]) if reading == 2 and not venue.missing[row] else int(line.times[n])
                factor = rates.convert(Fraction(1), assets.text(row), settle, at, late=reading != 1)
            if factor is None:
                flaws.append(f"{table.where(row)}: no rate from {assets.text(row)} to {settle} at the fill")
                factor = Fraction(0)
            steps.append(round(amount * factor * FEE_UNIT))
            if reading == 0:
                slack.append(0 if repeats[n] else round(fee.tolerance(row) * factor * FEE_UNIT))
        readings.append(steps)
    if "base" in kinds and segments:
        readings += [_revalued(steps, amounts, kinds, prices, segments) for steps in readings]
    unique: list[list[int]] = []
    for steps in readings:
        if steps not in unique:
            unique.append(steps)
    return FeeSteps(tuple(unique), [round(a * FEE_UNIT) for a in amounts], kinds, slack), list(dict.fromkeys(flaws))


def _revalued(
    steps: list[int], amounts: list[Fraction], kinds: list[str], prices: list[Fraction],
    segments: list[tuple[int, int, bool]],
) -> list[int]:  # fmt: skip
    """Value all that an execution paid in base at its price as corrected, once that is known."""
    out, paid, price = list(steps), list(amounts), list(prices)
    for n, target, _ in segments:
        if kinds[target] == "base":
            out[n] += round(paid[target] * (prices[n] - price[target]) * FEE_UNIT)
            paid[target], price[target] = paid[target] + amounts[n], prices[n]
    return out


def cumulate(steps: Iterable[int]) -> list[int]:
    """Return the running sums of some steps, 0 first: one element a state."""
    return [0, *accumulate(steps)]


@dataclass(frozen=True)
class Opening:
    """What was held before the first fill: one lot, and what of it is stated."""

    qty: Fraction
    price: Fraction
    known: str


def _digits(value: Fraction) -> int:
    """Return the digits after the point of a decimal."""
    return next(digits for digits in count() if (value * 10**digits).denominator == 1)


def opening_of(session: Session, instrument: Instrument, line: Timeline) -> tuple[Opening, list[str]]:
    """Return the opening lot, and what there is to say about it."""
    first = int(line.times[0]) if len(line) else _FOREVER
    qty, price = Fraction(0), None
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
        row = int(stated.rows[0 if first == _FOREVER else known - 1])
        qty = table.decimals(number).fraction(row)
        if table_name == "positions" and table.decimals("avg_px").known[row]:
            price = table.decimals("avg_px").fraction(row) or None
    if not qty or price is not None:
        return Opening(qty, price or Fraction(1), "stated"), []
    sharing = [i for i in instruments(session).values() if (i.kind, i.base) == ("spot", instrument.base)]
    if instrument.kind == "spot" and len(sharing) > 1:
        return Opening(Fraction(0), Fraction(1), "unknown"), [
            f"{instrument.base} is the base of several markets: whose opening it is nothing states"
        ]
    return Opening(qty, Fraction(1), "without a price"), [
        f"{instrument.symbol}: the opening position has no avg_px; P&L is assessed once it was flat"
    ]


def _trusted_until(session: Session, instrument: Instrument, line: Timeline, position: list[int], unit: int) -> int:
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


@lru_cache(maxsize=64)
def payments(session: Session, symbol: str) -> Payments:
    """Read the funding payments of one symbol."""
    table = session.table("funding", "ts_exchange", "ts_local", "symbol", "amount", "asset")
    line = timeline(session, table, table.words("symbol").is_(symbol))
    amounts, assets = table.decimals("amount"), table.words("asset")
    named = [assets.text(int(row)) for row in line.rows]
    asset = next((name for name in named if name), session.currency or instruments(session)[symbol].settle)
    return Payments(line, tuple(amounts.fraction(int(row)) for row in line.rows), asset)
