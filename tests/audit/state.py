"""What the detectors of sections 1 and 2 share: rates, the distinct fills and what follows from them, open orders."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from audit.recorded import Cells, Recorded, Row, cuts, is_true, ns, number, remember

ZERO = Fraction(0)
DIRECTION = {"buy": 1, "sell": -1, "": 0}
DONE = {"FILLED", "CANCELED", "REJECTED", "EXPIRED"}
OPEN = {"PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE"}
QUOTES = ("quote_bid", "quote_ask")


class Span(NamedTuple):
    """A number that equal times or a claim's lag leave open: from `low` to `high`, mostly the same."""

    low: Fraction
    high: Fraction

    def plus(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def minus(self, other: Span) -> Span:
        return Span(self.low - other.high, self.high - other.low)

    def times(self, factors: Iterable[Fraction]) -> Span:
        products = [end * factor for end in self for factor in factors]
        return Span(min(products), max(products))

    def wider(self, by: Fraction) -> Span:
        return Span(self.low - by, self.high + by)

    @property
    def middle(self) -> Fraction:
        return (self.low + self.high) / 2

    def has(self, value: Fraction) -> bool:
        return self.low <= value <= self.high


def exactly(value: Fraction) -> Span:
    """Return a number that is not open."""
    return Span(value, value)


def trimmed(value: Fraction) -> Fraction:
    """Keep forty decimals: far below any half unit, and sums of many fractions stay quick."""
    return value if value.denominator < 10**40 else Fraction(round(value * 10**40), 10**40)


def given(row: Row, *columns: str) -> list[Fraction] | None:
    """Return these cells as numbers, None where one of them is empty or no number."""
    values = [number(row[column]) for column in columns]
    return None if None in values else [value for value in values if value is not None]


# Instruments and rates


def settle(instrument: Row) -> str:
    """Return the currency in which a contract's profit is paid."""
    return instrument["settle"] or instrument["base" if instrument["kind"] == "inverse" else "quote"]


def multiplier(instrument: Row) -> Fraction:
    """Return the contract's multiplier, 1 unless given."""
    return number(instrument["multiplier"]) or Fraction(1)


def gain(instrument: Row, entry: Fraction, leave: Fraction, signed_qty: Fraction) -> Fraction:
    """Return the profit of a signed quantity from entry to leave, in the settlement currency."""
    per_unit = 1 / entry - 1 / leave if instrument["kind"] == "inverse" else leave - entry
    return per_unit * signed_qty * multiplier(instrument)


def worth(instrument: Row, price: Fraction, qty: Fraction) -> Fraction:
    """Return price x qty of a contract in the settlement currency, from which its fee is reckoned."""
    return multiplier(instrument) * (qty / price if instrument["kind"] == "inverse" else price * qty)


def notional(instrument: Row, price: Fraction, qty: Fraction) -> Fraction:
    """Return what a limit on notional looks at: quote currency, an inverse contract's face value."""
    return qty * multiplier(instrument) * (1 if instrument["kind"] == "inverse" else price)


@remember
def rates(session: Recorded, asset: str, currency: str, ts: int) -> frozenset[Fraction]:
    """Return the rates that may be the last known: of the pair or of its inverse, else through one currency."""
    if asset == currency:
        return frozenset({Fraction(1)})
    straight = _pair(session, asset, currency, ts)
    return straight or chained(session, asset, currency, ts)


@remember
def chained(session: Recorded, asset: str, currency: str, ts: int) -> frozenset[Fraction]:
    """Return the rates through one currency between."""
    known = {name for row in session["rates"] for name in (row["asset"], row["currency"])} - {asset, currency}
    return frozenset(
        first * second
        for middle in known
        for first in _pair(session, asset, middle, ts)
        for second in _pair(session, middle, currency, ts)
    )


def _pair(session: Recorded, asset: str, currency: str, ts: int) -> frozenset[Fraction]:
    straight = (number(row["rate"]) for row in session.last_known("rates", ts, asset=asset, currency=currency))
    inverse = (number(row["rate"]) for row in session.last_known("rates", ts, asset=currency, currency=asset))
    return frozenset([rate for rate in straight if rate] + [1 / rate for rate in inverse if rate])


# Executions


@dataclass(frozen=True)
class Step:
    """The distinct report that was booked as number `count`: execution `index`, a new one or an old one restated.

    The execution is now `qty` at `price`, its fees in spot base add to `fee_in_base`; the report `moved` the position.
    """

    count: int
    ts: int
    row: Row
    index: int
    side: int
    qty: Fraction
    price: Fraction
    fee_in_base: Fraction
    moved: Fraction

    @property
    def move(self) -> Fraction:
        """What the execution as it now stands moved the position by."""
        return self.side * self.qty - self.fee_in_base


def reports(session: Recorded, symbol: str) -> list[Row]:
    """Return the fills of a symbol in booking order, repeated ones too; none where one has no ts_local."""
    rows = session.rows("fills", symbol=symbol)
    return sorted(rows, key=lambda row: ns(row["ts_local"])) if all(row["ts_local"] for row in rows) else []


def repeated(session: Recorded, symbol: str) -> list[Row]:
    """Return the reports whose exec_id had been reported before."""
    met: set[str] = set()
    return [row for row in reports(session, symbol) if row["exec_id"] in met or met.add(row["exec_id"])]  # type: ignore[func-returns-value]


@remember
def steps(session: Recorded, symbol: str) -> list[Step]:
    """Return the distinct reports of a symbol in booking order."""
    return booked(session, symbol, reports(session, symbol), twice=False)


def booked(session: Recorded, symbol: str, rows: Iterable[Row], *, twice: bool) -> list[Step]:
    """Book reports in this order, a repeated one too where `twice`."""
    instrument = session.instruments[symbol]
    spot_base = instrument["base"] if instrument["kind"] == "spot" else None
    numbers: dict[str, int] = {}
    now: list[Step] = []
    out: list[Step] = []
    for row in rows:
        if row["exec_id"] in numbers and not twice:
            continue
        of = row["correction_of"] if row["kind"] in ("correction", "bust") else ""
        index = numbers.get(of, len(now)) if of else len(now)
        numbers[row["exec_id"]] = index
        if of:
            numbers.setdefault(of, index)
        values = given(row, "qty", "price")
        if values is None:
            continue
        qty = ZERO if row["kind"] == "bust" else values[0]
        fee = (number(row["fee"]) or ZERO) if row["fee_asset"] == spot_base else ZERO
        was = now[index] if index < len(now) else None
        side, fee = (was.side, was.fee_in_base + fee) if was else (DIRECTION[row["side"]], fee)
        moved = side * qty - fee - (was.move if was else ZERO)
        step = Step(len(out) + 1, ns(row["ts_local"]), row, index, side, qty, values[1], fee, moved)
        now[index : index + 1] = [step]
        out.append(step)
    return out


class Lot(NamedTuple):
    """An open part of the position; its price is None where the opening position states none."""

    qty: Fraction
    price: Fraction | None


@dataclass
class History:
    """What follows from the first k steps, for each k: lists of one entry more than there are steps.

    `realized` is gross, in the settlement currency, None while it hangs on a price that nobody states; `converted` in
    the session's currency at the rate of each closing. `fees` and `fees_converted` alike; `fees_raw` adds their
    numbers as they stand, whatever the asset.
    """

    times: list[int]
    positions: list[Fraction]
    lots: list[tuple[Lot, ...]] = field(default_factory=list)
    realized: list[Fraction | None] = field(default_factory=list)
    converted: list[Span | None] = field(default_factory=list)
    fees: list[Span | None] = field(default_factory=list)
    fees_converted: list[Span | None] = field(default_factory=list)
    fees_raw: list[Fraction] = field(default_factory=list)

    def cuts(self, ts: int, lag: int) -> range:
        """Return how many steps a claim at `ts` may know of."""
        return cuts(self.times, ts, lag)


@remember
def opening(session: Recorded, symbol: str) -> Lot | None:
    """Return the position that the venue stated at or before the first fill, None where it stated none or 0."""
    instrument = session.instruments[symbol]
    if instrument["kind"] == "spot":
        rows = session.rows("balances", asset=instrument["base"], source="exchange")
        column = "total"
    else:
        rows = session.rows("positions", symbol=symbol, source="exchange")
        column = "qty"
    fills = reports(session, symbol)
    if fills:
        first = ns(fills[0]["ts_local"])
        sent = min((ns(row["ts_exchange"]) for row in fills if row["ts_exchange"]), default=first)
        before = [row for row in rows if ns(row["ts_local"]) <= first]
        rows = [row for row in before if ns(row["ts_local"]) <= sent] or before
    stated = rows[-1 if fills else 0] if rows else Cells()
    qty = number(stated[column])
    return Lot(qty, number(stated["avg_px"])) if qty else None


@remember
def history(session: Recorded, symbol: str) -> History:
    """Return what follows from the distinct fills of a symbol, in booking order."""
    return follow(session, symbol, steps(session, symbol))


def follow(session: Recorded, symbol: str, booked_steps: Sequence[Step]) -> History:
    """Return what follows from steps in this order."""
    instrument, start = session.instruments[symbol], opening(session, symbol)
    money = settle(instrument)
    first = start.qty if start else ZERO
    moves = [step.moved for step in booked_steps]
    out = History([step.ts for step in booked_steps], list(accumulate(moves, initial=first)))
    basis = session.conventions.get("cost_basis", "fifo")
    matching = _Matching(instrument, basis, start)
    fees: Span | None = exactly(ZERO)
    fees_converted, raw = fees, ZERO
    executions: list[Step] = []
    begun: list[int] = []
    _note(out, matching, fees, fees_converted, raw)
    for step in booked_steps:
        fee = number(step.row["fee"]) or ZERO
        raw += fee
        in_money = fee_in(session, instrument, money, step)
        fees = fees and in_money and fees.plus(in_money)
        to_session = rates(session, money, session.currency, step.ts)
        fees_converted = (
            fees_converted.plus(in_money.times(to_session)) if fees_converted and in_money and to_session else None
        )
        restated = step.index < len(executions)
        executions[step.index : step.index + 1] = [step]
        if restated:
            matching = _Matching(instrument, basis, start)
        else:
            begun.append(step.ts)
        for execution in executions if restated else [step]:
            to_session = rates(session, money, session.currency, begun[execution.index])
            matching.trade(execution.move, execution.price, to_session)
        _note(out, matching, fees, fees_converted, raw)
    return out


def fee_in(session: Recorded, instrument: Row, money: str, step: Step) -> Span | None:
    """Return a report's fee in the settlement currency: one in spot's base at its price, others at their rate."""
    fee = number(step.row["fee"]) or ZERO
    asset = step.row["fee_asset"] or money
    if asset == money or not fee:
        return exactly(fee)
    if instrument["kind"] == "spot" and asset == instrument["base"]:
        return exactly(fee * step.price)
    known = rates(session, asset, money, step.ts)
    return exactly(fee).times(known) if known else None


def _note(out: History, matching: _Matching, fees: Span | None, fees_converted: Span | None, raw: Fraction) -> None:
    out.lots.append(tuple(matching.lots))
    out.realized.append(None if matching.is_unknown else matching.realized)
    out.converted.append(None if matching.is_unknown else matching.converted)
    out.fees.append(fees)
    out.fees_converted.append(fees_converted)
    out.fees_raw.append(raw)


class _Matching:
    """Open lots, and what closing them realized."""

    def __init__(self, instrument: Row, basis: str, start: Lot | None) -> None:
        self.instrument, self.basis = instrument, basis
        self.lots = [start] if start else []
        self.is_unknown = start is not None and start.price is None
        self.realized = ZERO
        self.converted: Span | None = exactly(ZERO)

    def trade(self, move: Fraction, price: Fraction, to_session: Iterable[Fraction]) -> None:
        gained = ZERO
        while move and self.lots and self.lots[0].qty * move < 0:
            at = -1 if self.basis == "lifo" else 0
            lot = self.lots[at]
            size = min(abs(lot.qty), abs(move))
            closed = size if lot.qty > 0 else -size
            if lot.price is not None:
                gained += gain(self.instrument, lot.price, price, closed)
            move += closed
            if size == abs(lot.qty):
                self.lots.pop(at)
            else:
                self.lots[at] = Lot(lot.qty - closed, lot.price)
        self.realized = trimmed(self.realized + gained)
        if gained and self.converted:
            rates_then = list(to_session)
            self.converted = self.converted.plus(exactly(gained).times(rates_then)) if rates_then else None
            self.converted = self.converted and Span(trimmed(self.converted.low), trimmed(self.converted.high))
        if self.is_unknown and not any(lot.price is None for lot in self.lots):
            self.is_unknown, self.realized, self.converted = False, ZERO, exactly(ZERO)
        if move:
            self.lots.append(Lot(move, price))
        if self.basis == "average" and len(self.lots) > 1:
            self.lots = [average(self.instrument, self.lots)]


def average(instrument: Row, lots: Sequence[Lot]) -> Lot:
    """Return lots as one at their average price, harmonic for an inverse contract."""
    qty = sum((lot.qty for lot in lots), ZERO)
    if any(lot.price is None for lot in lots):
        return Lot(qty, None)
    if instrument["kind"] == "inverse":
        return Lot(qty, trimmed(qty / sum(lot.qty / lot.price for lot in lots if lot.price)))
    return Lot(qty, trimmed(sum((lot.qty * lot.price for lot in lots if lot.price is not None), ZERO) / qty))


# Positions and claims of them


@remember
def claims(session: Recorded, table: str, column: str, symbol: str) -> list[tuple[int, Fraction, Row]]:
    """Return the bot's claims of a column for a symbol in order of time."""
    rows = [row for row in session.rows(table, symbol=symbol) if row["source"] in ("bot", "")]
    told = [(ns(row["ts_local"]), value, row) for row in rows if (value := number(row[column])) is not None]
    return sorted(told, key=lambda claim: claim[0])


@remember
def holdings(session: Recorded, symbol: str) -> History:
    """Return the positions of a symbol: by its fills; where the session has no fills, by the bot's own claims."""
    if "fills" in session.tables:
        return history(session, symbol)
    told = claims(session, "positions", "qty", symbol)
    start = opening(session, symbol)
    return History([ts for ts, _, _ in told], [start.qty if start else ZERO, *(qty for _, qty, _ in told)])


def positions(session: Recorded, symbol: str, ts: int) -> set[Fraction]:
    """Return the positions that the bot may have known of at `ts`."""
    held = holdings(session, symbol)
    return {held.positions[count] for count in held.cuts(ts, session.lag)}


@remember
def agreed_until(session: Recorded, symbol: str) -> int | None:
    """Return until when claims on fills count as exercised: the last exchange row that agrees with the fills.

    None: all of them, the fills are the venue's own record.
    """
    if session.settings["session"].get("fills_from") == "venue":
        return None
    instrument = session.instruments[symbol]
    if instrument["kind"] == "spot":
        rows, column = session.rows("balances", asset=instrument["base"], source="exchange"), "total"
    else:
        rows, column = session.rows("positions", symbol=symbol, source="exchange"), "qty"
    agreed = -1
    for row in rows:
        ts = ns(row["ts_local"])
        held = positions(session, symbol, ts) if column == "qty" else _totals(session, instrument["base"], ts)
        if number(row[column]) in held:
            agreed = max(agreed, ts)
    return agreed


def _totals(session: Recorded, base: str, ts: int) -> set[Fraction]:
    """Return what the balance of a spot base should be: its opening, all that its markets moved, and transfers."""
    markets = [symbol for symbol, row in session.instruments.items() if row["kind"] == "spot" and row["base"] == base]
    starts = [start.qty for symbol in markets if (start := opening(session, symbol))]
    totals = {(max(starts, default=ZERO) if starts else ZERO) + moved(session, base, ts)}
    for symbol in markets:
        start = opening(session, symbol)
        held = {position - (start.qty if start else 0) for position in positions(session, symbol, ts)}
        totals = {total + position for total in totals for position in held}
    return totals


def moved(session: Recorded, asset: str, ts: int) -> Fraction:
    """Return the transfers of an asset that had arrived at `ts`."""
    return sum((number(row["amount"]) or ZERO for row in session.known("transfers", ts, asset=asset)), ZERO)


def breaks(
    session: Recorded, told: Sequence[tuple[int, Fraction, Row]], held: History, should: Sequence[Fraction | None],
    half_unit: Fraction, *, first: Fraction | None = ZERO,
) -> Iterator[tuple[int, int, Row, Fraction]]:  # fmt: skip
    """Yield (step before, step at, row, by how much) of each claim that moved by something else than the steps did.

    `should[k]` is the value after k steps, `first` how far the claims are off before the first of them.
    """
    before, k_before = None if first is None else {first}, 0
    for ts, value, row in told:
        ks = [k for k in held.cuts(ts, session.lag) if should[k] is not None]
        if not ks:
            before = None
            continue
        off = {value - (should[k] or ZERO) for k in ks}
        if before is not None and not any(abs(new - old) <= 2 * half_unit for new in off for old in before):
            yield k_before, ks[-1], row, min((new - old for new in off for old in before), key=abs)
        agreed = {new for new in off if before and any(abs(new - old) <= 2 * half_unit for old in before)}
        before, k_before = agreed or off, ks[0]


# Orders


@dataclass
class Limit:
    """A limit price of an order, from when it was sent until it was replaced or refused."""

    price: Fraction | None
    sent: int
    ended: int | None = None


@dataclass(eq=False)
class Order:
    """An order as the bot's events tell of it; a replaced one goes on under its new id, and `ids` are all of them."""

    id: str
    symbol: str
    side: str
    row: Row
    submitted: int
    price: Fraction | None
    qty: Fraction | None
    cum: Fraction = ZERO
    state: str = ""
    is_acked: bool = False
    is_done: bool = False
    is_rejected: bool = False
    is_answered: bool = False  # an answer to the submit was processed
    cancel_open: bool = False
    replace_open: Row | None = None
    ids: list[str] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    @property
    def direction(self) -> int:
        return DIRECTION[self.side]

    @property
    def reduce_only(self) -> bool:
        return is_true(self.row["reduce_only"])

    @property
    def largest_qty(self) -> Fraction:
        """Its quantity, or the one asked for if that is larger."""
        asked = number(self.replace_open["qty"]) if self.replace_open else None
        return max(self.qty or ZERO, asked or ZERO)


def venue_id(row: Row) -> str:
    """Return an order's id at the venue, told apart from the bot's own."""
    return f"order_id {row['order_id']}"


class Desk:
    """The orders of a session at an instant, by any of their ids, and those that are not known to be done."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.open: dict[str, list[Order]] = defaultdict(list)

    def of(self, row: Row) -> Order | None:
        """Return the order that a row is about."""
        if row["event"] == "replace_request" and row["orig_client_order_id"]:
            return self.orders.get(row["orig_client_order_id"])
        for key in (row["client_order_id"], row["orig_client_order_id"], venue_id(row)):
            if key in self.orders:
                return self.orders[key]
        return None

    def all_open(self) -> list[Order]:
        return [order for orders in self.open.values() for order in orders]

    def take(self, row: Row) -> None:
        """Take in an event, after which the orders are as the bot knew them then."""
        event, order = row["event"], self.of(row)
        if event == "submit" or order is None:
            order = self._add(row)
        if row["order_id"] and venue_id(row) not in order.ids:
            self._name(order, venue_id(row))
        order.state = row["state"] or order.state
        if event not in ("submit", "timeout", "cancel_request", "replace_request"):
            order.is_answered = True
        if event in ("partial_fill", "fill"):
            order.cum = max(order.cum, number(row["cum_qty"]) or ZERO)
            leaves = number(row["leaves_qty"])
            if leaves == 0 or (leaves is None and event == "fill"):
                order.is_done = True
        elif event == "ack":
            order.is_acked = True
        elif event == "reject":
            order.is_done = order.is_rejected = True
        elif event == "cancel_request":
            order.cancel_open = True
        elif event in ("cancel_ack", "expire", "exchange_cancel", "liquidation"):
            order.is_done = True
        elif event == "cancel_reject":
            order.cancel_open = False
        elif event == "replace_request":
            order.replace_open = row
            if row["client_order_id"] not in order.ids:
                self._name(order, row["client_order_id"])
            order.limits.append(Limit(number(row["price"]), ns(row["ts_local"])))
        elif event == "replace_ack":
            self._replaced(order, row)
        elif event == "replace_reject":
            order.replace_open = None
            if len(order.limits) > 1:
                order.limits[-1].ended = ns(row["ts_local"])
        elif event == "reconcile":
            order.is_done = row["state"] in DONE
            order.cancel_open = row["state"] == "PENDING_CANCEL"
            order.is_acked = order.is_acked or row["state"] in ("NEW", "PARTIALLY_FILLED")
        if order.row["origin"] == "exchange":
            return  # the venue's own order is no quote or hedge of the bot's
        live = self.open[order.symbol]
        if order.is_done and order in live:
            live.remove(order)
        if not order.is_done and order not in live:
            live.append(order)

    def _add(self, row: Row) -> Order:
        ts, price = ns(row["ts_local"]), number(row["price"])
        order = Order(row["client_order_id"], row["symbol"], row["side"], row, ts, price, number(row["qty"]))
        order.is_acked = row["event"] != "submit"
        order.limits.append(Limit(price, ts))
        old = self.orders.get(order.id)
        if old in self.open[order.symbol]:
            self.open[order.symbol].remove(old)
        if order.id:
            self._name(order, order.id)
        return order

    def _name(self, order: Order, name: str) -> None:
        self.orders[name] = order
        order.ids.append(name)

    def _replaced(self, order: Order, row: Row) -> None:
        asked = order.replace_open or row
        price, qty = (number(row[name]) or number(asked[name]) for name in ("price", "qty"))
        order.price, order.qty = price or order.price, qty or order.qty
        order.id, order.replace_open = row["client_order_id"] or order.id, None
        if row["client_order_id"] and row["client_order_id"] not in order.ids:
            self._name(order, row["client_order_id"])
        for limit in order.limits[:-1]:
            limit.ended = limit.ended or ns(row["ts_local"])
        if order.state not in ("CANCELED", "EXPIRED", "REJECTED"):
            order.is_done = order.qty is not None and order.cum >= order.qty


def walk(session: Recorded) -> Iterator[tuple[Row, Desk]]:
    """Yield each order event with the orders as they stood before it."""
    desk = Desk()
    for row in session["order_events"]:
        yield row, desk
        desk.take(row)


@remember
def parts(session: Recorded) -> dict[str, list[Step]]:
    """Return the steps of each order, by client_order_id (where there is none by order_id), of all symbols."""
    out: dict[str, list[Step]] = defaultdict(list)
    for symbol in session.instruments:
        for step in steps(session, symbol):
            out[step.row["client_order_id"] or venue_id(step.row)].append(step)
    return out


def order_steps(session: Recorded, order: Order) -> list[Step]:
    """Return the steps of an order under any of its ids, in booking order."""
    found = parts(session)
    mine = [step for name in order.ids for step in found.get(name, ()) if step.row["symbol"] == order.symbol]
    return sorted(mine, key=lambda step: step.ts) if len(order.ids) > 1 else mine


def filled(session: Recorded, order: Order, ts: int) -> list[tuple[Fraction, Fraction | None]]:
    """Return (quantity, average price) of an order's fills as a claim at `ts` may know them."""
    mine = order_steps(session, order)
    return [summed(session, order.symbol, mine[:count]) for count in cuts([step.ts for step in mine], ts, session.lag)]


def summed(session: Recorded, symbol: str, mine: Sequence[Step]) -> tuple[Fraction, Fraction | None]:
    """Return the quantity of steps and its average price, harmonic for an inverse contract."""
    now = {step.index: step for step in mine}
    lots = [Lot(step.qty, step.price) for step in now.values() if step.qty]
    return (sum((lot.qty for lot in lots), ZERO), average(session.instruments[symbol], lots).price if lots else None)


def leaves(session: Recorded, order: Order, count: int) -> Fraction:
    """Return what of an order may still be filled after `count` steps of its symbol."""
    if "fills" not in session.tables:
        return max(ZERO, order.largest_qty - order.cum)
    done, _ = summed(session, order.symbol, [step for step in order_steps(session, order) if step.count <= count])
    return max(ZERO, order.largest_qty - done)


@dataclass(frozen=True)
class Ask:
    """An order to be sent: a submit, or a replace_request for more than the order was."""

    row: Row
    ts: int
    symbol: str
    side: str
    qty: Fraction
    reduce_only: bool
    replaced: Order | None


def asked(row: Row, desk: Desk) -> Ask | None:
    """Return what a submit or a replace_request asks for; None for other events and for a replace to a smaller qty."""
    if row["event"] not in ("submit", "replace_request"):
        return None
    qty = number(row["qty"])
    order = desk.of(row) if row["event"] == "replace_request" else None
    if qty is None or (order and order.qty is not None and qty < order.qty):
        return None
    reduce_only = order.reduce_only if order else is_true(row["reduce_only"])
    side = row["side"] or (order.side if order else "")
    return Ask(row, ns(row["ts_local"]), row["symbol"], side, qty, reduce_only, order)


def exposure(session: Recorded, ask: Ask, orders: Iterable[Order], count: int) -> Fraction:
    """Return how far position, these open orders of its side and the asked one may go, in the direction of its side.

    All after `count` steps of the symbol. Orders that only reduce go no further than flat; the replaced one counts
    once, with the larger quantity.
    """
    plain = reducing = ZERO
    for order in orders:
        if order.symbol == ask.symbol and order.side == ask.side and order is not ask.replaced:
            if order.reduce_only:
                reducing += leaves(session, order, count)
            else:
                plain += leaves(session, order, count)
    own = ask.qty
    if ask.replaced:
        own = leaves(session, replace(ask.replaced, qty=max(ask.qty, ask.replaced.qty or ZERO)), count)
    if ask.reduce_only:
        reducing += own
    else:
        plain += own
    start = holdings(session, ask.symbol).positions[count] * DIRECTION[ask.side]
    return (start if start >= 0 else min(ZERO, start + reducing)) + plain


def exposures(session: Recorded, ask: Ask, orders: Iterable[Order]) -> Fraction:
    """Return the least exposure of all that the bot may have known of."""
    orders = list(orders)
    counts = holdings(session, ask.symbol).cuts(ask.ts, session.lag)
    return min(exposure(session, ask, orders, count) for count in counts)


def quotes_behind(session: Recorded, row: Row) -> list[Row]:
    """Return the quotes rows that an order of this symbol and level may be based on: the newest then."""
    quotes, times = _quotes(session, row["symbol"], row["level"])
    behind = cuts(times, ns(row["ts_local"]), session.lag)
    picked = {count - 1 for count in behind if count}
    if not row["level"]:  # of any level of that decision
        instants = {times[at] for at in picked}
        picked = {at for ts in instants for at in range(bisect_left(times, ts), bisect_right(times, ts))}
    return [quotes[at] for at in sorted(picked)]


@remember
def _quotes(session: Recorded, symbol: str, level: str) -> tuple[list[Row], list[int]]:
    rows = [row for row in session.rows("quotes", symbol=symbol) if not level or int(row["level"] or 0) == int(level)]
    rows.sort(key=lambda row: ns(row["ts_local"]))
    return rows, [ns(row["ts_local"]) for row in rows]
