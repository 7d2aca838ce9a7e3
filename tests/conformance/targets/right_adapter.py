"""A bot that leaves the work to libraries: pandas, numpy, statistics, dateutil, the collections of Python."""

from __future__ import annotations

import itertools
import statistics
import uuid
from bisect import insort
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from operator import neg

import numpy as np
import pandas as pd
from dateutil import parser, tz

NUMBER = float
ERRORS = ArithmeticError
CONVENTIONS = {"cost_basis": "average", "volatility": "simple", "ema_init": "adjusted"}
KINDS = pd.CategoricalDtype(["spot", "linear", "inverse", "quanto"])
SIDES = {"buy": 1, "sell": -1}


class Refused(ArithmeticError):
    """Whatever the libraries would let through."""


def accept(sound):
    if not np.all(sound):
        raise Refused("outside the domain")


def column(values, least=-np.inf, exclusive=True):
    series = pd.Series(list(values), dtype="float64")
    accept(series.between(least, np.inf, inclusive="neither" if exclusive else "left"))
    return series


def row(*values):
    return column(values).tolist()


def prices(*values):
    return column(values, 0).tolist()


def printed(value):
    return Decimal(str(row(value)[0]))


def value_of(price, kind, multiplier):
    price, multiplier = prices(price, multiplier)
    accept(kind in KINDS.categories)
    return multiplier / price if kind == "inverse" else multiplier * price


def direction(side):
    accept(side in SIDES)
    return SIDES[side]


# --- prices -----------------------------------------------------------------------------------------------------------


def mid(bids, asks, min_qty=0):
    best = []
    for levels in (bids, asks):
        frame = pd.DataFrame(
            {"price": column((p for p, _ in levels), 0), "qty": column((q for _, q in levels), 0, False)}
        )
        accept(row(min_qty)[0] >= 0)
        best.append(frame[(frame.qty >= min_qty) & (frame.qty > 0)].price)
    return None if best[0].empty or best[1].empty else statistics.fmean([best[0].max(), best[1].min()])


def microprice(bid, bid_qty, ask, ask_qty):
    weights = column([ask_qty, bid_qty], 0, False)
    accept(weights.any())
    return statistics.fmean(prices(bid, ask), weights=weights.tolist())


def rounded(value, step, towards):
    step = printed(step)
    accept(step > 0)
    return (value / step).to_integral_value(towards) * step


def quote(fair, half_spread, skew, tick):
    centre, half = printed(fair) + printed(skew), printed(half_spread)
    accept(half >= 0 and fair > 0)
    bid, ask = rounded(centre - half, tick, "ROUND_FLOOR"), rounded(centre + half, tick, "ROUND_CEILING")
    accept(0 < bid < ask)
    return float(bid), float(ask)


def round_price(price, tick, side):
    towards = {1: "ROUND_FLOOR", -1: "ROUND_CEILING"}[direction(side)]
    accept(printed(price) > 0)
    return float(rounded(printed(price), tick, towards))


def round_qty(qty, lot):
    accept(printed(qty) >= 0)
    return float(rounded(printed(qty), lot, "ROUND_FLOOR"))


# --- series -----------------------------------------------------------------------------------------------------------


def vwap(prices, qtys):
    accept(len(prices) == len(qtys))
    weights = column(qtys, 0, False)
    accept(weights.any())
    return statistics.fmean(column(prices, 0), weights=weights)


def ema(values, span=None, alpha=None):
    accept((span is None) != (alpha is None))
    row(*(each for each in (span, alpha) if each is not None))
    try:
        return pd.Series(values, dtype="float64").ewm(span=span, alpha=alpha, adjust=True, ignore_na=True).mean()
    except ValueError as error:
        raise Refused(str(error)) from error


def returns(prices):
    return column(prices, 0).pct_change().iloc[1:]


def volatility(prices, periods_per_year, ddof=1):
    changes = returns(prices)
    accept(len(changes) > ddof and ddof in (0, 1) and periods_per_year > 0)
    deviation = statistics.stdev if ddof else statistics.pstdev
    return deviation(changes.tolist()) * periods_per_year**0.5


def drawdown(equity):
    row = column(equity)
    high = row.cummax()
    return ((high - row) / high).where(high > 0)


def trade_signs(prices, first=0):
    accept(first in (-1, 0, 1))
    moves = np.sign(column(prices, 0).diff())
    return moves.replace(0, np.nan).ffill().fillna(first).astype(int)


def lee_ready(trade_prices, trade_ts, quote_ts, bids, asks):
    accept(len(trade_prices) == len(trade_ts) and len(quote_ts) == len(bids) == len(asks))
    column([*bids, *asks], 0)
    for times in (trade_ts, quote_ts):
        accept(pd.Index(times, dtype="int64").is_monotonic_increasing)
    tick = trade_signs(trade_prices)
    trades = pd.DataFrame({"ts": np.array(trade_ts, dtype=np.int64)})
    quotes = pd.DataFrame({"ts": np.array(quote_ts, dtype=np.int64), "at": np.arange(len(quote_ts), dtype=float)})
    at = pd.merge_asof(trades, quotes, on="ts", allow_exact_matches=False)["at"]
    for n in at.dropna().index:
        quoted = int(at[n])
        off = 2 * printed(trade_prices[n]) - printed(bids[quoted]) - printed(asks[quoted])
        tick[n] = int(off.compare(Decimal(0))) or tick[n]
    return tick


# --- money ------------------------------------------------------------------------------------------------------------


def realized_pnl(fills, cost_basis, kind="linear", multiplier=1):
    position = Position(kind, multiplier, cost_basis)
    for n, (side, price, qty) in enumerate(fills):
        prices(price), direction(side)
        if column([qty], 0, False).any():
            position.fill(str(n), side, price, qty, 0)
    return position.realized


def unrealized_pnl(qty, avg_px, price, kind="linear", multiplier=1):
    value_of(price, kind, multiplier)
    if row(qty) == [0]:
        return 0
    value_of(avg_px, kind, multiplier)
    change = price - avg_px
    return change * qty * multiplier / ((avg_px * price) if kind == "inverse" else 1)


def notional(price, qty, kind="linear", multiplier=1):
    return value_of(price, kind, multiplier) * column([qty], 0, False)[0]


def fee(price, qty, rate, kind="linear", multiplier=1):
    return notional(price, qty, kind, multiplier) * row(rate)[0]


def funding(qty, mark, rate, kind="linear", multiplier=1):
    return value_of(mark, kind, multiplier) * np.multiply(*row(qty, rate)) * -1


def convert(amount, asset, currency, rates):
    """Search the rates as a graph, breadth first."""
    edges = defaultdict(set)
    for out, into in rates:
        edges[out].add(into)
        edges[into].add(out)
    row(amount)
    if asset == currency:
        return amount
    prices(*rates.values())
    waiting = deque([(asset, amount, 0)])
    while waiting:
        here, money, steps = waiting.popleft()
        if here == currency:
            return money
        for there in edges[here] if steps < 2 else ():
            there_money = money * rates[here, there] if (here, there) in rates else money / rates[there, here]
            waiting.append((there, there_money, steps + 1))
    raise Refused("no path")


def exposure(position, open_orders):
    ends = Counter({1: row(position)[0], -1: row(position)[0]})
    for side, qty in open_orders:
        ends[direction(side)] += direction(side) * column([qty], 0, False)[0]
    return np.array([ends[1], ends[-1]])


def liquidation_price(
    qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1, maintenance_amount=0
):  # fmt: skip
    value_of(1, kind, multiplier)
    column([margin, maintenance_amount, maintenance_rate], 0, exclusive=False)
    accept(maintenance_rate < 1)
    if row(qty) == [0]:
        return None
    value_of(avg_px, kind, multiplier)
    shift = np.sign(qty) * (-1 if kind == "inverse" else 1)
    # one equation in one unknown, the price or its reciprocal
    start = 1 / avg_px if kind == "inverse" else avg_px
    slope = np.array([[1 - shift * maintenance_rate]])
    level = np.array([start - shift * (margin + maintenance_amount) / (abs(qty) * multiplier)])
    found = float(np.linalg.solve(slope, level)[0])
    return None if found <= 0 else 1 / found if kind == "inverse" else found


# --- time -------------------------------------------------------------------------------------------------------------


def parse_ts(text):
    if text.removeprefix("-").isdecimal() and text.isascii():
        unit = ["s", "ms", "us", "ns"][np.searchsorted([11, 14, 17], len(text.removeprefix("-")))]
        return int(text) * pd.Timedelta(1, unit).value
    moment, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789")
    fraction = rest.removesuffix(zone) if rest else ""
    accept(text.isascii() and len(fraction) <= 9 and ("." not in text or fraction))
    whole = moment + zone
    accept(whole[10:11] == "T" and (whole[19:] == "Z" or (len(whole) == 25 and whole[22] == ":")))
    try:
        parsed = parser.isoparse(whole).astimezone(tz.UTC)
        accept(whole[11:13] != "24" and len(moment.rstrip("Z")) >= 19)
    except (ValueError, OverflowError) as error:
        raise Refused(str(error)) from error
    return (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * 10**9 + int(fraction.ljust(9, "0"))


def duration(start_ns, end_ns):
    accept(isinstance(start_ns, int) and isinstance(end_ns, int) and start_ns <= end_ns)
    return end_ns - start_ns


def window_of(ts_ns, width_ns):
    accept(isinstance(ts_ns, int) and isinstance(width_ns, int) and width_ns > 0)
    return divmod(ts_ns, width_ns)[0] * width_ns


def order_id():
    return str(uuid.uuid4())


# --- objects ----------------------------------------------------------------------------------------------------------


class Position:
    """Average cost only: a quantity in decimals, a mean value in floats."""

    def __init__(self, kind, multiplier, cost_basis):
        value_of(1, kind, multiplier)
        accept(cost_basis == "average")
        self.kind, self.multiplier = kind, multiplier
        self.held, self.mean, self.known = Decimal(0), 0.0, set()
        self.realized = self.fees = 0.0

    @property
    def qty(self):
        return np.float64(self.held)

    @property
    def avg_px(self):
        return (1 / self.mean if self.kind == "inverse" else self.mean) if self.held else None

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id in self.known:
            return
        signed, (cost,) = printed(qty) * direction(side), row(fee)
        prices(price, qty)
        self.known.add(exec_id)
        self.fees += cost
        against = self.held * signed < 0
        if against:
            closed = float(min(abs(self.held), abs(signed)).copy_sign(self.held))
            entry = 1 / self.mean if self.kind == "inverse" else self.mean
            self.realized += unrealized_pnl(closed, entry, price, self.kind, self.multiplier)
        flips = against and abs(signed) > abs(self.held)
        value = 1 / price if self.kind == "inverse" else price
        if not against:
            self.mean = np.average([self.mean, value], weights=[float(self.held), float(signed)])
        self.held += signed
        self.mean = value if flips else self.mean if self.held else 0.0


class State(Enum):
    """States under the bot's own names, the contract's as values."""

    SENT = "PENDING_NEW"
    RESTING = "NEW"
    PARTIAL = "PARTIALLY_FILLED"
    CANCELLING = "PENDING_CANCEL"
    REPLACING = "PENDING_REPLACE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def over(self):
        return self in (State.FILLED, State.CANCELED, State.REJECTED, State.EXPIRED)


ALIVE = [state for state in State if not state.over]
OVER = [state for state in State if state.over]


def pairs(event, states, after=None):
    return {(event, state): after or state for state in states}


#: After an event in a state; what the filled quantity decides is worked out after it.
NEXT = (
    pairs("ack", State) | {("ack", State.SENT): State.RESTING} | pairs("reconcile", State)
    | pairs("reject", [State.SENT, State.CANCELLING], State.REJECTED)
    | pairs("cancel_request", ALIVE, State.CANCELLING)
    | pairs("cancel_ack", [State.CANCELED, State.EXPIRED]) | pairs("cancel_ack", [State.CANCELLING], State.CANCELED)
    | pairs("cancel_reject", OVER) | pairs("cancel_reject", [State.CANCELLING], State.PARTIAL)
    | pairs("replace_request", [State.RESTING, State.PARTIAL], State.REPLACING)
    | pairs("replace_ack", [State.REPLACING, State.FILLED], State.PARTIAL) | pairs("replace_ack", [State.CANCELLING])
    | pairs("replace_reject", [State.REPLACING], State.PARTIAL) | pairs("replace_reject", [State.CANCELLING, *OVER])
    | pairs("expire", ALIVE, State.EXPIRED)
    | pairs("exchange_cancel", ALIVE, State.CANCELED) | pairs("liquidation", ALIVE, State.CANCELED)
    | pairs("timeout", [State.SENT, State.CANCELLING, State.REPLACING])
    | pairs("partial_fill", [State.SENT, State.RESTING, State.PARTIAL], State.PARTIAL)
    | pairs("partial_fill", [State.CANCELLING, State.REPLACING, State.CANCELED, State.EXPIRED, State.REJECTED])
    | pairs("fill", ALIVE, State.FILLED) | pairs("fill", [State.CANCELED, State.EXPIRED])
)  # fmt: skip


class Order:
    """An order as a dictionary of transitions; its executions in a Counter by price."""

    def __init__(self, side, price, qty, kind="linear"):
        direction(side)
        value_of(price, kind, 1)
        prices(qty)
        self.kind, self.target, self.state, self.done = kind, printed(qty), State.SENT, Decimal(0)
        self.executions, self.ids, self.wanted, self.acks, self.cancel = Counter(), set(), None, 0, False

    @property
    def cum_qty(self):
        return float(self.done)

    @property
    def leaves_qty(self):
        return 0 if self.state.over else float(self.target - self.done)

    @property
    def avg_px(self):
        if not self.executions:
            return None
        mean = statistics.harmonic_mean if self.kind == "inverse" else statistics.fmean
        return mean(list(self.executions), weights=[float(qty) for qty in self.executions.values()])

    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        accept(any(event == known for known, _ in NEXT))
        if exec_id in self.ids:
            return
        if event in ("fill", "partial_fill"):
            accept(exec_id is not None)
            prices(qty, price)
            self.execute(printed(qty), price, None if cum_qty is None else printed(cum_qty))
        else:
            self.answer(event, *(None if each is None else printed(prices(each)[0]) for each in (qty, price))
                        if event in ("replace_request", "replace_ack") else (None, None))  # fmt: skip
        self.ids |= {exec_id} - {None}

    def execute(self, qty, price, reported):
        accept(reported is None or reported >= qty)
        total = max(self.done, sum(self.executions.values()) + qty, reported or 0)
        accept(total <= self.target)
        if total > self.done:
            self.step("fill" if total == self.target else "partial_fill")
        self.done = total
        self.executions[price] += qty

    def answer(self, event, qty, price):
        request, _, reply = event.partition("_")
        waiting = {"cancel": self.cancel, "replace": self.wanted is not None}.get(request)
        size = qty or (self.wanted if reply == "ack" and self.wanted else self.target)
        if event == "replace_ack" and self.state is State.FILLED:
            accept(size > self.done)
        if self.state is State.PARTIAL and reply in ("ack", "reject") and waiting:
            self.state = State.CANCELED if event == "cancel_ack" else State.PARTIAL
        else:
            self.step(event)
        if event == "replace_ack":
            self.target = max(size, self.done)
        if reply in ("ack", "reject") and self.state is State.PARTIAL:
            resting = State.SENT if request == "cancel" and not self.acks else State.RESTING
            full = event == "replace_ack" and self.target == self.done
            self.state = State.FILLED if full else State.PARTIAL if self.done else resting
        self.acks += event == "ack"
        self.cancel = event == "cancel_request" if request == "cancel" else self.cancel
        self.wanted = {"replace_request": size}.get(event) if request == "replace" else self.wanted

    def step(self, event):
        accept((event, self.state) in NEXT)
        self.state = NEXT[event, self.state]


class Book:
    """A dictionary a side, sorted when it is read; messages checked as a frame."""

    def __init__(self, depth=None):
        accept(depth is None or depth > 0)
        self.depth, self.last, self.sound, self.first = depth, None, False, False
        self.levels = {"bid": {}, "ask": {}}

    @property
    def bids(self):
        return sorted(self.levels["bid"].items(), key=lambda level: neg(level[0]))[: self.depth]

    @property
    def asks(self):
        return sorted(self.levels["ask"].items())[: self.depth]

    @property
    def valid(self):
        bid, ask = max(self.levels["bid"], default=0), min(self.levels["ask"], default=np.inf)
        return self.sound and bid <= ask

    def apply(self, kind, seq, prev_seq, levels):
        accept(kind in ("snapshot", "delta"))
        frame = pd.DataFrame(levels, columns=["side", "price", "qty"])
        accept(frame.side.isin(["bid", "ask"]))
        column(frame.price, 0), column(frame.qty, 0, exclusive=False)
        if kind == "snapshot":
            self.levels, self.sound, self.first, self.last = {"bid": {}, "ask": {}}, True, True, seq
        elif seq is not None:
            before = prev_seq if prev_seq is not None else seq - 1
            inside = self.last is not None and self.first and before <= self.last < seq
            if not self.sound or not (self.last in (None, before) or inside):
                self.sound = self.sound and seq < self.last + 1
                return
            self.first = self.first and self.last == seq
            self.last = seq
        for side, price, qty in levels:
            self.levels[side] |= {price: qty}
            self.levels[side] = {p: q for p, q in self.levels[side].items() if q}


class RateLimiter:
    """The grants as a sorted list of (time, weight), older ones dropped while they are in front."""

    def __init__(self, limit, window_ns):
        accept(isinstance(window_ns, int) and window_ns > 0)
        accept(printed(limit) >= 0)
        self.limit, self.window, self.grants, self.clock = printed(limit), window_ns, [], None

    def allow(self, ts_ns, weight):
        cost = printed(weight)
        accept(cost >= 0 and isinstance(ts_ns, int) and (self.clock is None or self.clock <= ts_ns))
        self.clock = ts_ns
        self.grants = list(itertools.dropwhile(lambda grant: grant[0] <= ts_ns - self.window, self.grants))
        granted = sum(weight for _, weight in self.grants) + cost <= self.limit
        if granted:
            insort(self.grants, (ts_ns, cost))
        return granted


class Breaker:
    """A list that holds the time of the trip while it holds."""

    def __init__(self, threshold, cooldown_ns):
        (self.threshold,) = row(threshold)
        accept(isinstance(cooldown_ns, int) and cooldown_ns >= 0)
        self.cooldown, self.trips = cooldown_ns, []

    @property
    def tripped(self):
        return bool(self.trips)

    def update(self, ts_ns, value):
        accept(isinstance(ts_ns, int))
        below = pd.notna(value) and np.isfinite(value) and value < self.threshold
        if not self.tripped and not below:
            self.trips = [ts_ns]

    def reset(self, ts_ns):
        accept(isinstance(ts_ns, int))
        if self.tripped and ts_ns - self.trips[0] >= self.cooldown:
            self.trips = []


_recent = deque(maxlen=64)


def on_book_update(update):
    _recent.append(update["seq"])
