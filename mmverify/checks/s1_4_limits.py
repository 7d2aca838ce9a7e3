"""Section 1.4, limits: at each submit, what the position and all open and pending orders may come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import Instrument
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rates, Rows, timeline
from mmverify.checks.orderflow_exposure import Asks, Exposure, Resting, exposure
from mmverify.checks.prices import venue_prices
from mmverify.numeric import Ints, Mask, decimal_text
from mmverify.session.load import Session

_SHOWN = 4  # resting orders that are written out
_NEARLY = 1 - 1e-9  # a float64 screen lets through what is this close

Floats = NDArray[np.float64]
LIMITS = ("max_position", "max_notional", "max_open_orders")


def pending_orders(session: Session) -> Looked:
    """No submit passes a limit together with position, open and pending orders, on its symbol or on all."""
    symbols = session.table("order_events", "symbol").words("symbol").names
    stated = [name for name in LIMITS for symbol in (*symbols, "*") if session.limit(symbol, name) is not None]
    if not stated:
        return Looked(0, (), ("session.toml states no max_position, max_notional or max_open_orders",))
    return gather(_of_symbol(session, symbol) for symbol in symbols)


@dataclass(frozen=True, eq=False)
class _Sent:
    """The asks of one symbol, and what they and all that was open may come to."""

    session: Session
    symbol: str
    known: Exposure

    @property
    def asks(self) -> Asks:
        return self.known.asks

    @property
    def instrument(self) -> Instrument:
        return self.known.executions.instrument

    @cached_property
    def ts(self) -> Rows:
        return self.known.flow.ts[self.asks.rows]

    def qty(self, units: int) -> Fraction:
        return Fraction(int(units), 10**self.known.digits)

    def reach(self, ask: int) -> Fraction:
        """Return the least that position, orders of its side and an ask may reach."""
        if self.asks.is_exact[ask]:
            return self.qty(self.asks.with_all[ask])
        return self.qty(self.known.least(ask, self.known.others(int(self.asks.rows[ask]))))

    def prices(self, asks: Iterable[int]) -> dict[int, list[Fraction]]:
        """Return the prices that each of some asks may be valued at: its own, and the marks known then."""
        asks, own = list(asks), self.known.flow.table.decimals("price")
        marks: list[list[Fraction]] = [[] for _ in asks]
        if self.session.has("marks"):
            marks = venue_prices(self.session, self.symbol, "mark", self.ts[asks]).known
        rows = self.asks.rows[asks].tolist()
        return {
            ask: [*known, *([own.fraction(row)] if own.known[row] else [])]
            for ask, row, known in zip(asks, rows, marks, strict=True)
        }

    @cached_property
    def has_marks(self) -> bool:
        """Whether the symbol has a mark at all."""
        table = self.session.table("marks", "symbol", "mark")
        return bool(np.any(table.words("symbol").is_(self.symbol) & table.decimals("mark").known))

    def over(self, limit: Fraction, values: Ints) -> Mask:
        """Return where a quantity in units passes a limit."""
        return np.asarray(values > limit.numerator * 10**self.known.digits // limit.denominator)


@dataclass(frozen=True, eq=False)
class _Held:
    """The asks of one symbol held to one limit: which could be, and what those that pass it come to."""

    scope: str
    name: str
    limit: Fraction
    judged: Mask
    passed: list[tuple[int, Fraction]]
    note: str = ""


def _of_symbol(session: Session, symbol: str) -> Looked:
    sent = _Sent(session, symbol, exposure(session, symbol))
    if not len(sent.asks):
        return Looked(0)
    every = [each(sent, limit, symbol) for each, limit in _looks(session, symbol)]
    every += [each(sent, limit, "*") for each, limit in _looks(session, "*")]
    judged = np.logical_or.reduce([each.judged for each in every]) if every else np.zeros(0)
    notes = tuple(each.note for each in every if each.note)
    return Looked(int(judged.sum()), tuple(_breach(sent, each) for each in every if each.passed), notes)


_Look = Callable[[_Sent, Fraction, str], _Held]


def _looks(session: Session, scope: str) -> Iterator[tuple[_Look, Fraction]]:
    """Yield how each limit that is stated for a symbol, or for all, is looked at."""
    of_all: dict[str, _Look] = {"max_position": _total_position, "max_notional": _total}
    of_one: dict[str, _Look] = {"max_position": _position, "max_notional": _notional}
    for name, look in {**(of_all if scope == "*" else of_one), "max_open_orders": _open_orders}.items():
        limit = session.limit(scope, name)
        if limit is not None:
            yield look, limit


def _position(sent: _Sent, limit: Fraction, scope: str) -> _Held:
    doubtful = np.flatnonzero(sent.over(limit, sent.asks.with_all)).tolist()
    passed = [(ask, reach) for ask in doubtful if (reach := sent.reach(ask)) > limit]
    return _Held(scope, "max_position", limit, np.ones(len(sent.asks), dtype=bool), passed)


def _notional(sent: _Sent, limit: Fraction, scope: str) -> _Held:
    own, rows = sent.known.flow.table.decimals("price"), sent.asks.rows
    instrument, inverse = sent.instrument, sent.instrument.kind == "inverse"
    price = np.ones(len(rows)) if inverse else np.where(own.known[rows], own.floats()[rows], np.inf)
    reach = np.maximum(sent.asks.with_all.astype(np.float64), 0) / 10.0**sent.known.digits
    with np.errstate(invalid="ignore"):
        value = reach * float(instrument.multiplier) * price
    doubtful = np.flatnonzero(value > float(limit) * _NEARLY).tolist()
    prices = {ask: [Fraction(1)] for ask in doubtful} if inverse else sent.prices(doubtful)
    passed = []
    for ask in (ask for ask in doubtful if prices[ask]):
        worth = sent.reach(ask) * instrument.multiplier * min(prices[ask])
        if worth > limit:
            passed.append((ask, worth))
    judged = np.isfinite(price) | sent.has_marks
    blind = int(np.sum(~judged))
    note = f"{sent.symbol}: {blind} orders without a price or a mark are not held to max_notional" if blind else ""
    return _Held(scope, "max_notional", limit, judged, passed, note)


def _open_orders(sent: _Sent, limit: Fraction, scope: str) -> _Held:
    count = 1 + sent.asks.open_orders
    if scope == "*":
        for other in _others(sent).values():
            each = np.ones(len(other.flow.lives), dtype=bool)
            count = count + other.total(sent.asks.rows, other.is_open.astype(np.int64), each)
    passed = [(ask, Fraction(int(count[ask]))) for ask in np.flatnonzero(count > float(limit)).tolist()]
    return _Held(scope, "max_open_orders", limit, np.ones(len(count), dtype=bool), passed)


def _others(sent: _Sent) -> dict[str, Exposure]:
    """Return the exposures of the other symbols."""
    names = sent.session.table("instruments", "symbol").words("symbol").names
    return {name: exposure(sent.session, name) for name in names if name != sent.symbol}


def _total_position(sent: _Sent, limit: Fraction, scope: str) -> _Held:
    return _total(sent, limit, scope, "max_position")


def _total(sent: _Sent, limit: Fraction, scope: str, name: str = "max_notional") -> _Held:
    """Hold what all symbols may come to, each by its farther way, in session currency."""
    rows, currency = sent.asks.rows, sent.session.currency
    if currency is None:
        note = f"{name} of all symbols is not judged: session.toml names no currency"
        return _Held(scope, name, limit, np.zeros(len(rows), dtype=bool), [], note)
    reach = np.maximum(sent.asks.with_all.astype(np.float64), 0) / 10.0**sent.known.digits
    total = _worth_floats(sent, sent.known, reach)
    others = _others(sent)
    for other in others.values():
        total = total + _worth_floats(sent, other, _farthest_floats(other, rows))
    with np.errstate(invalid="ignore"):
        doubtful = np.flatnonzero(total > float(limit) * _NEARLY).tolist()
    passed = []
    for ask in doubtful:
        at = int(sent.ts[ask])
        parts = [_worth(sent, sent.known, max(sent.reach(ask), Fraction(0)), at)]
        parts += [_worth(sent, other, _farthest(other, int(rows[ask]), at), at) for other in others.values()]
        worth = sum((part for part in parts if part is not None), Fraction(0))
        if None not in parts and worth > limit:
            passed.append((ask, worth))
    judged = np.isfinite(total)
    blind = int(np.sum(~judged))
    note = f"{sent.symbol}: {blind} orders came before every mark and rate was known: not held to {name} of all"
    return _Held(scope, name, limit, judged, passed, note if blind else "")


def _worth_floats(sent: _Sent, known: Exposure, qty: Floats) -> Floats:
    """Value quantities at the newest mark and rate at each ask; NaN where one is not known."""
    session, instrument = sent.session, known.executions.instrument
    table = session.table("marks", "ts_exchange", "ts_local", "symbol", "mark")
    mark = table.decimals("mark")
    line = timeline(session, table, table.words("symbol").is_(instrument.symbol) & mark.known)
    price = np.append(np.nan, mark.floats()[line.rows])[line.span(sent.ts)[1]]
    with np.errstate(divide="ignore"):
        value = qty / price if instrument.kind == "inverse" else qty * price
    value = value * float(instrument.multiplier) * _rate_floats(session, instrument.settle, sent.ts)
    return np.where(qty > 0, value, 0.0)


def _rate_floats(session: Session, asset: str, ts: Rows) -> Floats:
    """Return the newest rate into session currency at each time, NaN where there is none."""
    currency, known = session.currency or "", Rates.of(session)
    if asset == currency:
        return np.ones(len(ts))
    steps = [line.times - line.after for line, _ in known.pairs.values()]
    part = np.searchsorted(np.unique(np.concatenate([*steps, np.zeros(0, dtype=np.int64)])), ts, side="right")
    parts, first, back = np.unique(part, return_index=True, return_inverse=True)
    rates = [known.convert(Fraction(1), asset, currency, int(ts[at])) for at in first.tolist()]
    return np.array([np.nan if rate is None else float(rate) for rate in rates])[back] if len(parts) else np.ones(0)


def _worth(sent: _Sent, known: Exposure, qty: Fraction, at: int) -> Fraction | None:
    """Return the least that a quantity may be worth in session currency; None where a mark or a rate is missing."""
    instrument = known.executions.instrument
    if not qty:
        return Fraction(0)
    marks = venue_prices(sent.session, instrument.symbol, "mark", np.array([at])).known[0]
    rates = Rates.of(sent.session).choices(instrument.settle, sent.session.currency or "", at)
    return min((notional(instrument, price, qty) * rate for price in marks for rate in rates if price), default=None)


def _farthest_floats(known: Exposure, rows: Rows) -> Floats:
    """Return how far a symbol's position may go with its open orders, either way, just before rows of another."""
    held = known.position(rows)
    ways = np.maximum(held + known.resting(rows, 1), known.resting(rows, -1) - held)
    return np.asarray(np.maximum(ways.astype(np.float64), 0) / 10.0**known.digits)


def _farthest(known: Exposure, row: int, at: int) -> Fraction:
    """Return the least of all that `_farthest_floats` may be, exact, by the reports that may have been known."""
    low, high = (int(each[0]) for each in known.executions.line.span(np.array([at])))
    orders = [order for order in known.others(row) if not order.reduce_only]
    lives = np.array([order.life for order in orders], dtype=np.int64)
    found = []
    for count in range(low, high + 1):
        held = known.executions.qty(known.executions.position[count])
        ways = {1: held, -1: -held}
        done = known.executions.filled_by(lives, np.full(len(lives), count)) if known.executions.of_fills else None
        for n, order in enumerate(orders):
            filled = known.executions.qty(done[n]) if done is not None else Fraction(0)
            ways[order.direction] += max(Fraction(0), Fraction(order.most, 10**known.digits) - filled)
        found.append(max(*ways.values(), Fraction(0)))
    return min(found)


# --- words ------------------------------------------------------------------------------------------------------------


def _breach(sent: _Sent, held: _Held) -> Breach:
    asks = [ask for ask, _ in held.passed]
    first, value = held.passed[0]
    amount, currency, loss = _loss(sent, held)
    order = sent.known.flow.table.words("client_order_id").text(int(sent.asks.rows[first]))
    of = "all symbols" if held.scope == "*" else held.scope
    reached = decimal_text(value)
    if held.name == "max_open_orders":
        was = f"order {order} is open order {reached} of {of}"
    else:
        was = f"order {order} may take the {held.name.removeprefix('max_')} of {of} to {reached}"
    return Breach(
        key=f"{sent.symbol} {held.name}" + (" of all" if held.scope == "*" else ""),
        where=places(sent.known.flow.table, sent.asks.rows[asks].tolist()), count=len(asks),
        was=was, should=f"{held.name} {decimal_text(held.limit)} at most", work=_work(sent, held, first), amount=amount,
        currency=currency, loss=loss, cause=_cause(sent, held),
    )  # fmt: skip


def _loss(sent: _Sent, held: _Held) -> tuple[Fraction | None, str, str]:
    if held.name == "max_open_orders":
        return (
            None,
            "",
            "the venue refuses an order too many, and the next quote or hedge with it; what that costs cannot be known",
        )
    over = [(ask, value - held.limit) for ask, value in held.passed]
    loss = f"by what {held.name} may be passed if all that is open fills, where it is most"
    if held.scope == "*" or held.name == "max_notional":
        money = sent.session.currency or "" if held.scope == "*" else sent.instrument.quote
        return max(by for _, by in over), money, loss
    prices = sent.prices(ask for ask, _ in over)
    priced = [(min(prices[ask], default=Fraction(0)), by) for ask, by in over]
    worth = [notional(sent.instrument, price, by) for price, by in priced if price]
    return max(worth, default=None), sent.instrument.settle, f"{loss}, at the order's price or the mark"


def _work(sent: _Sent, held: _Held, ask: int) -> tuple[str, ...]:
    """Write out what is open beside an order, and what all of it comes to."""
    table, row = sent.known.flow.table, int(sent.asks.rows[ask])
    direction = int(sent.asks.direction[ask])
    side = "buy" if direction > 0 else "sell"
    others = [order for order in sent.known.others(row) if _left(sent, ask, order)]
    if held.name == "max_open_orders":
        names = ", ".join(_name(sent, order) for order in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        return (
            f"open before {table.where(row)}, {sent.symbol}: {names or 'none'}{more}",
            f"with the order itself {decimal_text(held.passed[0][1])}, limit {decimal_text(held.limit)}",
        )
    mine = [order for order in others if order.direction == direction]
    lines = [f"position of {sent.symbol} before {table.where(row)}: {decimal_text(sent.qty(sent.asks.position[ask]))}"]
    for order in mine[:_SHOWN]:
        reducing = ", reduce_only" if order.reduce_only else ""
        lines.append(f"{side} {_name(sent, order)}, open: {decimal_text(_left(sent, ask, order))} left{reducing}")
    if len(mine) > _SHOWN:
        rest = sum((_left(sent, ask, order) for order in mine[_SHOWN:]), Fraction(0))
        lines.append(f"{len(mine) - _SHOWN} more, open: {decimal_text(rest)} left")
    reach = sent.reach(ask)
    lines.append(
        f"{table.where(row)}: {side} {decimal_text(sent.qty(sent.asks.own[ask]))}; all of it filled, the position is "
        f"{decimal_text(reach * direction)}"
    )
    value = dict(held.passed)[ask]
    if held.scope == "*":
        lines.append(f"all symbols at their marks: {decimal_text(value)}, limit {decimal_text(held.limit)}")
    elif held.name == "max_notional" and reach:
        multiplier = "" if sent.instrument.multiplier == 1 else f" x {text(sent.instrument.multiplier)}"
        price = "" if sent.instrument.kind == "inverse" else f" x {text(value / reach / sent.instrument.multiplier)}"
        lines.append(f"{text(reach)}{multiplier}{price} = {decimal_text(value)}, limit {decimal_text(held.limit)}")
    else:
        lines.append(f"{text(reach)} is {decimal_text(reach - held.limit)} above {decimal_text(held.limit)}")
    return tuple(lines)


def _left(sent: _Sent, ask: int, order: Resting) -> Fraction:
    """Return what may still be filled of another order, by all reports that were known."""
    executions = sent.known.executions
    most = sent.qty(order.most)
    if not executions.of_fills:
        return most
    filled = executions.filled_by(np.array([order.life]), np.array([sent.asks.high[ask]]))
    return max(Fraction(0), most - executions.qty(filled[0]))


def _name(sent: _Sent, order: Resting) -> str:
    return sent.known.flow.table.words("client_order_id").text(int(sent.known.flow.lives.first[order.life]))


def _cause(sent: _Sent, held: _Held) -> str:
    """Name what was left out where none of the orders passes the limit without it."""
    if held.name == "max_open_orders":
        return "the count leaves out the order itself" if all(v == held.limit + 1 for _, v in held.passed) else ""
    if held.scope == "*":
        return ""
    at = np.array([ask for ask, _ in held.passed])
    scale = np.array([float(held.limit / value) for _, value in held.passed]) * sent.asks.with_all[at].astype(float)
    left_out = (
        ("the orders whose cancel is not answered were left out", sent.asks.without_canceling),
        ("the orders that rest were left out", sent.asks.with_in_flight),
        ("all other orders were left out", sent.asks.alone),
    )
    for name, reach in left_out:
        if np.all(reach[at].astype(float) <= scale / _NEARLY):
            return name
    own = np.where(sent.asks.reduce_only, 0, sent.asks.own)[at].astype(float)
    return "the limit was held against each order alone" if np.all(own <= scale / _NEARLY) else ""
