"""Deliberately wrong targets: one mistake each, made to `right_decimal`, with the item that must see it.

A target is an attribute of `TARGETS`: ``conformance.targets.wrong:TARGETS.same_side_microprice``.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from math import floor
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from conformance.targets import right_decimal as right


@dataclass(frozen=True)
class Wrong:
    """A mistake.

    Attributes
    ----------
    item : str
        That must fail.
    exposed : dict
        Names of the contract that the target exposes, the mistake in them.
    source : str
        Repository and thread of the bug that is made again, or ``constructed``.
    also : str
        Items that fail with it, since they follow from it.
    """

    item: str
    exposed: dict[str, Any]
    source: str = "constructed"
    also: str = ""


def instead(function, answer):
    """Return a function that gives this answer, or raises it, where the right one refuses."""

    def wrong(*args, **rest):
        try:
            return function(*args, **rest)
        except (ValueError, ArithmeticError):
            if isinstance(answer, type):
                raise answer("not caught") from None
            return answer

    return wrong


def after(function, change):
    """Return a function whose answers are changed."""
    return lambda *args, **rest: change(function(*args, **rest))


def wrapped(value, bits):
    return (int(value) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


# --- prices -----------------------------------------------------------------------------------------------------------


def truncated_by_float(price, tick, side):
    right.round_price(price, tick, side)
    return Decimal(int(float(price) / float(tick))) * tick


def modulo_in_float(price, tick, side):
    right.round_price(Decimal(price), Decimal(tick), side)
    down = price - price % tick
    return down if side == "buy" or down == price else down + tick


def quote_a_tick_low(fair, half_spread, skew, tick):
    bid, ask = right.quote(fair, half_spread, skew, tick)
    return (bid - tick if bid > tick and (fair + skew - half_spread) % tick == 0 else bid), ask


def quote_to_nearest(fair, half_spread, skew, tick):
    right.quote(fair, half_spread, skew, tick)
    return tuple(((fair + skew + half_spread * way) / tick).to_integral_value() * tick for way in (-1, 1))


def quote_unguarded(fair, half_spread, skew, tick):
    right.positive(fair), right.positive(tick), right.not_negative(half_spread), right.number(skew)
    step = Fraction(tick)
    below, above = ((Fraction(fair) + Fraction(skew) + Fraction(half_spread) * way) / step for way in (-1, 1))
    return right.out(floor(below) * step), right.out(-floor(-above) * step)


def quote_in_binary(fair, half_spread, skew, tick):
    return tuple(Decimal(float(price)) for price in right.quote(fair, half_spread, skew, tick))


# --- series -----------------------------------------------------------------------------------------------------------


def alike_once(prices, qtys):
    pairs = list(dict.fromkeys(zip(prices, qtys, strict=True)))
    return right.vwap([price for price, _ in pairs], [qty for _, qty in pairs])


def endless_vwap(prices, qtys):
    while not any(qtys):
        pass
    return right.vwap(prices, qtys)


def last_traded(prices, qtys):
    right.vwap(prices, qtys)
    return prices[-1]


def last_four(prices, qtys):
    right.vwap(prices, qtys)
    return right.vwap(prices[-4:], qtys[-4:]) if any(qtys[-4:]) else right.vwap(prices, qtys)


def ema_by(change):
    def wrong(values, span=None, alpha=None, init="first"):
        right.ema(values, span=span, alpha=alpha, init=init)
        return change(values, {"span": span, "alpha": alpha, "init": init})

    return wrong


def ema_poisoned(values, rest):
    first = next((n for n, value in enumerate(values) if value is None or value != value), len(values))
    return right.ema(values[:first], **rest) + [None] * (len(values) - first)


def ema_of_the_next(values, span=None, alpha=None, init="first"):
    right.ema(values, span=span, alpha=alpha, init=init)
    return right.ema([*values[1:], *values[-1:]], span=span, alpha=alpha, init=init)


def returns_less_mean(prices, kind="log"):
    changes = right.returns(prices, kind)
    return [change - sum(changes) / len(changes) for change in changes]


def drawdown_in_money(equity):
    high = [max(equity[: n + 1]) for n, _ in enumerate(equity)]
    return [right.drawdown([top, value])[1] and top - value for top, value in zip(high, equity, strict=True)]


def drawdown_of_the_first(equity):
    right.drawdown(equity)
    return [
        right.drawdown([equity[0], value])[1] and (max(equity[: n + 1]) - value) / equity[0]
        for n, value in enumerate(equity)
    ]


def drawdown_without_start(equity):
    return [Decimal(0), *right.drawdown(equity[1:])] if equity and equity[0] > 0 else right.drawdown(equity)


def zero_tick_resets(prices, first=0):
    right.trade_signs(prices, first)
    return [first, *((after > before) - (after < before) for before, after in right.pairwise(prices))][: len(prices)]


def quote_of_the_instant(trade_prices, trade_ts, quote_ts, bids, asks):
    right.lee_ready(trade_prices, trade_ts, quote_ts, bids, asks)
    return right.lee_ready(trade_prices, [2 * ts + 1 for ts in trade_ts], [2 * ts for ts in quote_ts], bids, asks)


def last_quote_of_all(trade_prices, trade_ts, quote_ts, bids, asks):
    right.lee_ready(trade_prices, trade_ts, quote_ts, bids, asks)
    late = [max([*trade_ts, *quote_ts], default=0) + 1] * len(trade_ts)
    return right.lee_ready(trade_prices, late, quote_ts, bids, asks)


def tick_rule_alone(trade_prices, trade_ts, quote_ts, bids, asks):
    right.lee_ready(trade_prices, trade_ts, quote_ts, bids, asks)
    return right.trade_signs(trade_prices)


# --- money ------------------------------------------------------------------------------------------------------------


def chain_dropped(amount, asset, currency, rates):
    right.convert(amount, asset, currency, rates)
    direct = asset == currency or (asset, currency) in rates or (currency, asset) in rates
    return right.convert(amount, asset, currency, rates) if direct else Decimal(0)


def turned_rate(amount, asset, currency, rates):
    right.convert(amount, asset, currency, rates)
    return right.convert(amount, asset, currency, {pair: 1 / Fraction(rate) for pair, rate in rates.items()})


def alike_fills_once(fills, cost_basis, kind="linear", multiplier=1):
    right.realized_pnl(fills, cost_basis, kind, multiplier)
    return right.realized_pnl(list(dict.fromkeys(fills)), cost_basis, kind, multiplier)


def without_multiplier(function):
    def wrong(*args, multiplier=1, **rest):
        function(*args, multiplier=multiplier, **rest)
        return function(*args, **rest)

    return wrong


def always_linear(function):
    def wrong(*args, kind="linear", **rest):
        function(*args, kind=kind, **rest)
        return function(*args, **rest)

    return wrong


def taker_rate(price, qty, rate, kind="linear", multiplier=1):
    return right.fee(price, qty, rate * 0 + Decimal("0.0004"), kind, multiplier)


def no_reducing_orders(position, open_orders):
    right.exposure(position, open_orders)
    own = "sell" if position > 0 else "buy" if position < 0 else ""
    return right.exposure(position, [order for order in open_orders if order[0] != own])


def short_for_long(qty, *args, **rest):
    right.liquidation_price(qty, *args, **rest)
    return right.liquidation_price(-qty, *args, **rest)


def no_maintenance(qty, avg_px, margin, maintenance_rate, kind="linear", multiplier=1, maintenance_amount=0):
    right.liquidation_price(qty, avg_px, margin, maintenance_rate, kind, multiplier, maintenance_amount)
    return right.liquidation_price(qty, avg_px, margin, 0, kind, multiplier)


# --- time -------------------------------------------------------------------------------------------------------------


def local_time(text):
    naive = right.WHOLE.fullmatch(text) is None and text[-1:] != "Z" and text[-6:-5] not in ("+", "-")
    return right.parse_ts(text + "Z" if naive else text)


def offset_added(text):
    turned = text[:-6] + text[-6:].translate({ord("+"): "-", ord("-"): "+"})
    return right.parse_ts(turned if "T" in text and text[-1:] != "Z" else text)


def unpadded(text):
    head, point, rest = text.partition(".")
    digits = rest.rstrip("Z") if rest.endswith("Z") else rest[:-6]
    right.parse_ts(text)
    return right.parse_ts(f"{head}.{digits.zfill(9)}{rest[len(digits) :]}" if point else text)


def in_float64(text):
    return int(float(right.parse_ts(text)))


def always_ms(text):
    return int(text) * 10**6 if right.WHOLE.fullmatch(text) else right.parse_ts(text)


def last_of_window(ts_ns, width_ns):
    right.window_of(ts_ns, width_ns)
    return (ts_ns - 1) // width_ns * width_ns


def towards_zero(ts_ns, width_ns):
    right.window_of(ts_ns, width_ns)
    return int(Fraction(ts_ns, width_ns)) * width_ns


_ids, _draws = count(), Random(7)


# --- Position ---------------------------------------------------------------------------------------------------------


class LastPriceIsEntry(right.Position):
    def book(self, signed, value, cost):
        super().book(signed, value, cost)
        if self.lots and self.lots[0][0] * signed > 0:
            self.lots = deque((held, value) for held, _ in self.lots)


class UnweightedEntry(right.Position):
    def merge(self):
        total, values = sum(q for q, _ in self.lots), [v for _, v in self.lots]
        if total:
            self.lots = deque([(total, sum(values) / len(values))])


class ArithmeticInverse(right.Position):
    def merge(self):
        total = sum(q for q, _ in self.lots)
        if total and self.kind == "inverse":
            self.lots = deque([(total, -1 / (sum(-q / v for q, v in self.lots) / total))])
        else:
            super().merge()


class FlipIgnored(right.Position):
    """What is left of a fill after the position is closed keeps the old side."""

    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        super().book(signed, value, cost)
        if held * signed < 0 and abs(signed) > abs(held):
            self.lots = deque((-q, v) for q, v in self.lots)


class FlipCutOff(right.Position):
    """A fill closes the position and opens nothing."""

    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        flips = held * signed < 0 and abs(signed) > abs(held)
        super().book(-held if flips else signed, value, cost)


class FlipAtOldEntry(right.Position):
    """The position that a flip opens keeps the entry of the one that it closed."""

    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        entry = self.lots[0][1] if self.lots else value
        super().book(signed, value, cost)
        if held * signed < 0 and abs(signed) > abs(held):
            self.lots = deque((q, entry) for q, _ in self.lots)


class FlipChargedTwice(right.Position):
    """The fee of a flip is charged to both of its halves."""

    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        super().book(signed, value, cost * 2 if held * signed < 0 and abs(signed) > abs(held) else cost)


class FeesTurned(right.Position):
    def book(self, signed, value, cost):
        super().book(signed, value, -cost)


class FeesOfEntries(right.Position):
    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        super().book(signed, value, cost if held * signed >= 0 else Fraction(0))


class FeesInRealized(right.Position):
    realized = property(lambda self: right.out(self.gain * self.size - self.paid))


class FillsTwice(right.Position):
    def fill(self, exec_id, side, price, qty, fee):
        super().fill(object(), side, price, qty, fee)


class AlikeIsRepeated(right.Position):
    def fill(self, exec_id, side, price, qty, fee):
        super().fill((side, price, qty), side, price, qty, fee)


class PaysFirst(right.Position):
    """The fee is booked before the rest of the fill is looked at."""

    def fill(self, exec_id, side, price, qty, fee):
        if exec_id not in self.seen:
            self.paid += right.number(fee)
            super().fill(exec_id, side, price, qty, 0)


class WholeClose(right.Position):
    """Any fill against the position closes all of it."""

    def book(self, signed, value, cost):
        held = sum(q for q, _ in self.lots)
        super().book(-held if held * signed < 0 and abs(signed) < abs(held) else signed, value, cost)


class NewestFirst(right.Position):
    def __init__(self, kind, multiplier, cost_basis):
        super().__init__(kind, multiplier, cost_basis)
        self.cost_basis = "lifo" if cost_basis == "fifo" else cost_basis


class WonAsLinear(right.Position):
    def won(self, closed, entry, value):
        return closed * (1 / entry - 1 / value) if self.kind == "inverse" else closed * (value - entry)


class ZeroPriced(right.Position):
    """A price that is none is taken for a fill at 1."""

    def fill(self, exec_id, side, price, qty, fee):
        super().fill(exec_id, side, price if price > 0 else 1, qty, fee)


# --- Order ------------------------------------------------------------------------------------------------------------


def remapped(**changes):
    """Return an order whose map is changed: event to states before and after."""
    return type("Remapped", (right.Order,), {"map": right.MAP | {e: right.MAP[e] | c for e, c in changes.items()}})


class LateFillRevives(right.Order):
    def fill(self, qty, price, reported):
        before = self.state
        super().fill(qty, price, reported)
        if before in ("CANCELED", "EXPIRED"):
            self.state = "FILLED" if self.cum == self.qty else "PARTIALLY_FILLED"


class LateFillLost(right.Order):
    def fill(self, qty, price, reported):
        if self.state not in ("CANCELED", "EXPIRED"):
            super().fill(qty, price, reported)


class FillLostInReplace(right.Order):
    def fill(self, qty, price, reported):
        if self.state != "PENDING_REPLACE":
            super().fill(qty, price, reported)


class LeavesWhenDone(right.Order):
    leaves_qty = property(lambda self: right.out(self.qty - self.cum))


class LeavesOfTheFirstQty(right.Order):
    """A replace changes what the order may fill, and not what is left of it."""

    def __init__(self, side, price, qty, kind="linear"):
        super().__init__(side, price, qty, kind)
        self.first = self.qty

    leaves_qty = property(lambda self: right.out(Fraction(0) if self.state in right.DONE else self.first - self.cum))


class OrderQtyFilled(right.Order):
    """Every fill is of all that is left."""

    def fill(self, qty, price, reported):
        super().fill(qty, price, reported)
        self.cum = self.qty


class Overfilled(right.Order):
    def fill(self, qty, price, reported):
        self.qty = max(self.qty, self.booked + qty) if self.state in right.OPEN else self.qty
        super().fill(qty, price, reported)


class CumulativeAdded(right.Order):
    """The running total of a report is added as if it were its own quantity."""

    def fill(self, qty, price, reported):
        super().fill(reported or qty, price, None)


class ExecutionsTwice(right.Order):
    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        super().apply(event, qty, price, exec_id and object(), cum_qty)


class UnweightedOrder(right.Order):
    def fill(self, qty, price, reported):
        super().fill(qty, price, reported)
        self.prices = [*getattr(self, "prices", []), right.worth(price, self.kind)]
        self.value = sum(self.prices) / len(self.prices) * self.booked


class LimitForFill(right.Order):
    def fill(self, qty, price, reported):
        super().fill(qty, self.price, reported)


class RepeatRefused(right.Order):
    def apply(self, event, qty=None, price=None, exec_id=None, cum_qty=None):
        right.demand(exec_id is None or exec_id not in self.seen, "already booked")
        super().apply(event, qty, price, exec_id, cum_qty)


class UnknownIgnored(right.Order):
    def apply(self, event, **rest):
        if event in self.map:
            super().apply(event, **rest)


class NoteOfAnything(right.Order):
    """The venue's word for a state is passed on as it is."""

    state = property(
        lambda self: self.word.title() if self.word == "EXPIRED" else self.word,
        lambda self, word: vars(self).update(word=word),
    )


class IllegalIgnored(right.Order):
    def apply(self, event, **rest):
        known = event in self.map and (event in ("fill", "partial_fill") or self.state in self.map[event])
        if known or event not in self.map or event.startswith(("cancel", "replace")):
            super().apply(event, **rest)


class NoSuchKey(right.Order):
    def apply(self, event, **rest):
        self.map[event]
        super().apply(event, **rest)


# --- Book -------------------------------------------------------------------------------------------------------------


class Added(right.Book):
    """Quantities are changes, not what is there."""

    def put(self, levels):
        super().put([(side, price, qty and qty + self.sides[side].get(price, 0)) for side, price, qty in levels])


class Merged(right.Book):
    """A snapshot is merged into what is there."""

    def apply(self, kind, seq, prev_seq, levels):
        before = self.sides
        super().apply(kind, seq, prev_seq, levels)
        self.sides = (
            {side: before[side] | kept for side, kept in self.sides.items()} if kind == "snapshot" else self.sides
        )


class ZeroKept(right.Book):
    def put(self, levels):
        for side, price, qty in levels:
            self.sides[side][price] = qty


class GapIgnored(right.Book):
    def follows(self, seq, before):
        return self.seq is None or before == self.seq or seq > self.seq


class GapByOne(right.Book):
    """Numbers must rise by 1, whatever the venue says of the one before."""

    def follows(self, seq, before):
        return self.seq is None or seq == self.seq + 1 or (self.fresh and before <= self.seq < seq)


class OldApplied(right.Book):
    def follows(self, seq, before):
        return super().follows(seq, before) or seq <= self.seq

    def apply(self, kind, seq, prev_seq, levels):
        last = self.seq
        super().apply(kind, seq, prev_seq, levels)
        old = kind == "delta" and self.whole and None not in (seq, last) and seq < last
        self.seq = last if old and prev_seq != last else self.seq


class OldSnapshotDropped(right.Book):
    """A snapshot with an old number does not count."""

    def apply(self, kind, seq, prev_seq, levels):
        if kind != "snapshot" or None in (seq, self.seq) or seq > self.seq:
            super().apply(kind, seq, prev_seq, levels)


class CrossedIsValid(right.Book):
    valid = property(lambda self: self.whole)


class LockedIsCrossed(right.Book):
    valid = property(
        lambda self: right.Book.valid.fget(self) and (self.bids[:1] or [[0]])[0][0] != (self.asks[:1] or [[1]])[0][0]
    )


class SidesSwapped(right.Book):
    def apply(self, kind, seq, prev_seq, levels):
        other = {"bid": "ask", "ask": "bid"}
        super().apply(kind, seq, prev_seq, [(other.get(side, side), price, qty) for side, price, qty in levels])


class WorstAskFirst(right.Book):
    asks = property(lambda self: sorted(self.sides["ask"].items(), reverse=True)[: self.depth])


class AsTheyCame(right.Book):
    bids = property(lambda self: list(self.sides["bid"].items())[: self.depth])
    asks = property(lambda self: list(self.sides["ask"].items())[: self.depth])


class ByText(right.Book):
    asks = property(lambda self: sorted(self.sides["ask"].items(), key=lambda level: str(level[0]))[: self.depth])


class DepthIgnored(right.Book):
    bids = property(lambda self: sorted(self.sides["bid"].items(), reverse=True))


class FirstTwoOfAMessage(right.Book):
    """A message is read up to so many levels."""

    def put(self, levels):
        super().put(levels[:2])


class PartApplied(right.Book):
    """Levels before the bad one of a message stay."""

    def apply(self, kind, seq, prev_seq, levels):
        sound = next((n for n, (side, price, _) in enumerate(levels) if side not in self.sides or not price > 0), None)
        super().apply(kind, seq, prev_seq, levels if sound is None else levels[:sound])
        right.demand(sound is None, "a bad level")


# --- RateLimiter and Breaker ------------------------------------------------------------------------------------------


class ClosedWindow(right.RateLimiter):
    def inside(self, then, now):
        return then >= now - self.window


class FixedWindow(right.RateLimiter):
    def inside(self, then, now):
        return then // self.window == now // self.window


class RefusedCounts(right.RateLimiter):
    def allow(self, ts_ns, weight):
        fits = super().allow(ts_ns, weight)
        if not fits:
            self.granted.append((ts_ns, right.number(weight)))
        return fits


class EachWeighsOne(right.RateLimiter):
    def allow(self, ts_ns, weight):
        return super().allow(ts_ns, min(weight, 1))


class OneTooFew(right.RateLimiter):
    def __init__(self, limit, window_ns):
        super().__init__(limit, window_ns)
        self.limit = max(self.limit - 1, 0)


class RefundAllowed(right.RateLimiter):
    def allow(self, ts_ns, weight):
        return super().allow(ts_ns, max(weight, 0))


class NanPasses(right.Breaker):
    def passes(self, value):
        return value == value and right.Breaker.passes(self, value)


class AboveOnly(right.Breaker):
    def passes(self, value):
        return super().passes(value) and value != self.threshold


class InPercent(right.Breaker):
    def passes(self, value):
        return super().passes(value * 100)


class ResetEarly(right.Breaker):
    def reset(self, ts_ns):
        self.tripped = self.tripped and right.whole(ts_ns) < self.since


class CoolingFromTheLast(right.Breaker):
    """Each value above the threshold begins the cool-down anew."""

    def update(self, ts_ns, value):
        super().update(ts_ns, value)
        self.since = ts_ns if self.passes(value) else self.since


class BackBelow(right.Breaker):
    def update(self, ts_ns, value):
        super().update(ts_ns, value)
        self.tripped = self.passes(value)


class NeverReset(right.Breaker):
    def reset(self, ts_ns):
        right.whole(ts_ns)


# --- the hot path -----------------------------------------------------------------------------------------------------

_history = []
_log = logging.getLogger("bot.book")


def reads_its_rules(update):
    Path(__file__).read_bytes()


def keeps_everything(update):
    _history.append(update["levels"])


def logs_each(update):
    _log.warning("update %s", update["seq"])


def prints_each(update):
    print(update["seq"])


def waits_for_more(update):
    while update:
        pass


def fails(function):
    return instead(function, KeyError)


HB, NT, LEAN, CCXT, FT = (
    "hummingbot/hummingbot", "nautechsystems/nautilus_trader", "QuantConnect/Lean", "ccxt/ccxt", "freqtrade/freqtrade",
)  # fmt: skip
nothing = Decimal(0)

TABLE = {
    # prices
    "odd_lots_in_mid": Wrong(
        "1.1.4",
        {"mid": lambda bids, asks, min_qty=0: right.mid(bids, asks, right.not_negative(min_qty) * 0)},
        f"{HB} #1341",
    ),
    "mid_of_one_side_0": Wrong(
        "1.1.4",
        {"mid": after(right.mid, lambda value: nothing if value is None else value)},
        "vegaprotocol/vega-market-sim #512",
    ),
    "mid_fails": Wrong("5.1.3", {"mid": fails(right.mid)}),
    "same_side_microprice": Wrong(
        "1.1.4", {"microprice": lambda bid, bid_qty, ask, ask_qty: right.microprice(bid, ask_qty, ask, bid_qty)}
    ),
    "mid_in_binary": Wrong(
        "1.1.5", {"mid": after(right.mid, lambda value: value and Decimal(float(value)))}, "alexgolec/schwab-py #239"
    ),
    "microprice_of_nothing_0": Wrong(
        "5.1.3", {"microprice": instead(right.microprice, nothing)}, "vegaprotocol/vega-market-sim #512", also="5.1.1"
    ),
    "bid_a_tick_low": Wrong("1.1.1", {"quote": quote_a_tick_low}, f"{HB} #3016"),
    "skew_turned": Wrong(
        "1.1.1", {"quote": lambda fair, half_spread, skew, tick: right.quote(fair, half_spread, -skew, tick)}
    ),
    "quote_to_nearest": Wrong("1.1.1", {"quote": quote_to_nearest}, also="1.1.3"),
    "quote_at_or_below_0": Wrong("1.1.3", {"quote": quote_unguarded}, "ctubio/Krypto-trading-bot #664"),
    "quote_in_binary": Wrong("1.1.5", {"quote": quote_in_binary}, also="1.1.3"),
    "both_sides_up": Wrong(
        "2.1.3",
        {"round_price": lambda price, tick, side: (right.sign_of(side), right.round_price(price, tick, "sell"))[1]},
        f"{FT} #8386",
    ),
    "not_rounded": Wrong(
        "2.1.3",
        {"round_price": lambda price, tick, side: (right.round_price(price, tick, side), price)[1]},
        "TorchTrade/torchtrade #197",
    ),
    "truncated_by_float": Wrong("2.1.3", {"round_price": truncated_by_float}, "alexgolec/schwab-py #239"),
    "modulo_in_float": Wrong("2.1.3", {"round_price": modulo_in_float, "NUMBER": float}),
    "qty_to_nearest": Wrong(
        "5.1.5",
        {
            "round_qty": lambda qty, lot: (
                right.round_qty(qty, lot),
                right.out(floor(Fraction(qty) / Fraction(lot) + Fraction(1, 2)) * Fraction(lot)),
            )[1]
        },
        "kernc/backtesting.py #954",
    ),
    "lot_of_0": Wrong(
        "5.1.1", {"round_qty": lambda qty, lot: qty if lot == 0 else right.round_qty(qty, lot)}, also="5.1.3"
    ),
    # series
    "prices_alone": Wrong(
        "3.3.1",
        {
            "vwap": lambda prices, qtys: (
                right.vwap(prices, qtys),
                right.out(sum(map(Fraction, prices)) / len(prices)),
            )[1]
        },
    ),
    "last_price_is_vwap": Wrong("3.2.3", {"vwap": last_traded}, "gbeced/pyalgotrade #155", also="3.3.1"),
    "rolling_vwap": Wrong("3.3.1", {"vwap": last_four}, "bukosabino/ta #262", also="3.2.2 3.2.3"),
    "trades_alike_once": Wrong("3.2.2", {"vwap": alike_once}, f"{CCXT} #9409"),
    "vwap_of_nothing_0": Wrong(
        "5.1.3",
        {
            "vwap": lambda prices, qtys: (
                nothing if not any(qtys) and len(prices) == len(qtys) else right.vwap(prices, qtys)
            )
        },
    ),
    "vwap_fails": Wrong("5.1.3", {"vwap": fails(right.vwap)}, f"{FT} #4267"),
    "vwap_hangs": Wrong("3.3.1", {"vwap": endless_vwap}),
    "ema_adjusted": Wrong(
        "3.3.2",
        {"ema": ema_by(lambda values, rest: right.ema(values, **rest | {"init": "adjusted"}))},
        "twopirllc/pandas-ta #767",
    ),
    "ema_seed": Wrong(
        "3.3.2",
        {
            "ema": ema_by(
                lambda values, rest: right.ema(values, **rest | ({"init": "first"} if rest["init"] == "sma" else {}))
            )
        },
    ),
    "ema_poisoned": Wrong("3.3.2", {"ema": ema_by(ema_poisoned)}, "TA-Lib/ta-lib-python #542"),
    "ema_missing_is_0": Wrong(
        "3.3.2",
        {"ema": ema_by(lambda values, rest: right.ema([0 if v is None or v != v else v for v in values], **rest))},
    ),
    "ema_of_the_next": Wrong("3.3.4", {"ema": ema_of_the_next}, "peerchemist/finta #25"),
    "simple_for_log": Wrong(
        "3.3.3",
        {"returns": lambda prices, kind="log": (right.returns(prices, kind), right.returns(prices, "simple"))[1]},
    ),
    "returns_less_mean": Wrong("3.3.4", {"returns": returns_less_mean}, "xgboosted/pandas-ta-classic #150"),
    "ddof_0": Wrong(
        "3.3.3",
        {
            "volatility": lambda prices, periods_per_year, kind="log", ddof=1: (
                right.volatility(prices, periods_per_year, kind, ddof),
                right.volatility(prices, periods_per_year, kind, 0),
            )[1]
        },
    ),
    "year_of_252": Wrong(
        "3.3.3",
        {
            "volatility": lambda prices, periods_per_year, kind="log", ddof=1: (
                right.volatility(prices, periods_per_year, kind, ddof),
                right.volatility(prices, 252, kind, ddof),
            )[1]
        },
        "polakowo/vectorbt #294",
    ),
    "drawdown_of_the_first": Wrong("1.4.1", {"drawdown": drawdown_of_the_first}),
    "drawdown_in_money": Wrong("1.4.1", {"drawdown": drawdown_in_money}, "ml4t/diagnostic #56"),
    "drawdown_without_start": Wrong("1.4.1", {"drawdown": drawdown_without_start}, "ranaroussi/quantstats #438"),
    "zero_tick_resets": Wrong("3.2.1", {"trade_signs": zero_tick_resets}),
    "all_are_buys": Wrong(
        "3.2.1", {"trade_signs": after(right.trade_signs, lambda signs: [1] * len(signs))}, f"{CCXT} #17830"
    ),
    "quote_of_the_instant": Wrong("3.2.1", {"lee_ready": quote_of_the_instant}),
    "last_quote_of_all": Wrong("3.3.4", {"lee_ready": last_quote_of_all}),
    "tick_rule_alone": Wrong("3.2.1", {"lee_ready": tick_rule_alone}),
    # money
    "loss_is_profit": Wrong("1.3.1", {"realized_pnl": after(right.realized_pnl, lambda value: -value)}, f"{HB} #3405"),
    "contracts_as_coins": Wrong(
        "1.3.1", {"realized_pnl": without_multiplier(right.realized_pnl)}, "gateio/gateapi-js #4"
    ),
    "fills_alike_once": Wrong("1.3.4", {"realized_pnl": alike_fills_once}, f"{NT} #3450"),
    "inverse_as_linear": Wrong("1.3.2", {"unrealized_pnl": always_linear(right.unrealized_pnl)}),
    "short_as_long": Wrong(
        "1.3.2",
        {
            "unrealized_pnl": lambda qty, *args, **rest: (
                right.unrealized_pnl(qty, *args, **rest),
                right.unrealized_pnl(abs(qty), *args, **rest),
            )[1]
        },
        "CryptoGnome/Bybit-Futures-Bot #1",
    ),
    "notional_in_int32": Wrong(
        "5.1.4",
        {
            "notional": after(
                right.notional, lambda value: Decimal(wrapped(value, 32)) if value == int(value) else value
            )
        },
        "akapur/pyiqfeed #24",
    ),
    "notional_in_int64": Wrong(
        "5.1.4",
        {
            "notional": after(
                right.notional, lambda value: Decimal(wrapped(value, 64)) if value == int(value) else value
            )
        },
    ),
    "notional_of_nothing": Wrong("5.1.1", {"notional": instead(right.notional, nothing)}),
    "rebate_charged": Wrong("1.3.3", {"fee": after(right.fee, abs)}, "kernc/backtesting.py #958"),
    "taker_rate": Wrong("2.3.5", {"fee": taker_rate}, f"{HB} #3138"),
    "funding_received": Wrong("1.3.3", {"funding": after(right.funding, lambda value: -value)}, f"{FT} #6185"),
    "rate_turned": Wrong("1.3.5", {"convert": turned_rate}, "taniman/profit-trailer #1481"),
    "chain_dropped": Wrong("1.3.5", {"convert": chain_dropped}),
    "no_rate_is_1": Wrong(
        "1.3.5",
        {
            "convert": lambda amount, asset, currency, rates: instead(right.convert, amount)(
                amount, asset, currency, rates
            )
        },
        also="5.1.1 5.1.3",
    ),
    "pending_left_out": Wrong(
        "1.4.3",
        {
            "exposure": lambda position, open_orders: (
                right.exposure(position, open_orders),
                right.exposure(position, open_orders[:1]),
            )[1]
        },
        f"{HB} #2187",
        also="5.1.2",
    ),
    "exposure_clamped": Wrong(
        "1.4.3", {"exposure": after(right.exposure, lambda ends: (max(ends[0], nothing), min(ends[1], nothing)))}
    ),
    "reducing_left_out": Wrong("5.1.2", {"exposure": no_reducing_orders}, "BYTEX-TRADE/bytex #21"),
    "liquidated_on_the_wrong_side": Wrong("5.3.3", {"liquidation_price": short_for_long}),
    "bankruptcy_for_liquidation": Wrong("5.3.3", {"liquidation_price": no_maintenance}),
    "no_liquidation_is_0": Wrong(
        "5.3.3",
        {"liquidation_price": after(right.liquidation_price, lambda value: nothing if value is None else value)},
    ),
    # time
    "local_time": Wrong("4.1.1", {"parse_ts": local_time}),
    "offset_added": Wrong("4.1.1", {"parse_ts": offset_added}, f"{CCXT} #4330"),
    "unpadded": Wrong("4.1.5", {"parse_ts": unpadded}, f"{CCXT} #2859"),
    "in_float64": Wrong("4.1.5", {"parse_ts": in_float64}, "bitrich-info/xchange-stream #123"),
    "always_ms": Wrong("4.1.4", {"parse_ts": always_ms}),
    "duration_turned": Wrong(
        "4.1.4", {"duration": lambda start_ns, end_ns: abs(right.whole(end_ns) - right.whole(start_ns))}
    ),
    "duration_in_int32": Wrong(
        "4.1.4", {"duration": after(right.duration, lambda value: wrapped(value, 32))}, "akapur/pyiqfeed #24"
    ),
    "end_inside": Wrong("4.1.3", {"window_of": last_of_window}, "velocity-exchange/protocol-v2 #193"),
    "towards_zero": Wrong("4.1.3", {"window_of": towards_zero}),
    "counted_ids": Wrong("2.1.5", {"order_id": lambda: f"order-{next(_ids)}"}),
    "seeded_ids": Wrong("2.1.5", {"order_id": lambda: _draws.getrandbits(64)}, "nkaz001/hftbacktest #146"),
    # Position
    "last_price_is_entry": Wrong("1.3.1", {"Position": LastPriceIsEntry}, "jesse-ai/jesse #52"),
    "unweighted_entry": Wrong("1.3.1", {"Position": UnweightedEntry}),
    "arithmetic_inverse": Wrong("1.3.1", {"Position": ArithmeticInverse}),
    "newest_first": Wrong("1.3.1", {"Position": NewestFirst}),
    "won_as_linear": Wrong("1.3.1", {"Position": WonAsLinear}),
    "flip_keeps_its_side": Wrong("1.2.4", {"Position": FlipIgnored}, f"{NT} #60"),
    "flip_cut_off": Wrong("1.2.1", {"Position": FlipCutOff}, "richkuo/go-trader #1009"),
    "flip_at_old_entry": Wrong("1.3.1", {"Position": FlipAtOldEntry}),
    "flip_charged_twice": Wrong("1.3.3", {"Position": FlipChargedTwice}),
    "closed_whole": Wrong("1.2.3", {"Position": WholeClose}, f"{FT} #12343"),
    "fees_turned": Wrong("1.3.3", {"Position": FeesTurned}, f"{HB} #7891"),
    "fees_of_entries": Wrong("1.3.3", {"Position": FeesOfEntries}, "kernc/backtesting.py #1006"),
    "fees_in_realized": Wrong("1.3.1", {"Position": FeesInRealized}),
    "fills_twice": Wrong("2.2.6", {"Position": FillsTwice}, f"{LEAN} #1271"),
    "alike_is_repeated": Wrong(
        "1.2.1", {"Position": AlikeIsRepeated}, f"{NT} #3450", also="1.2.3 1.2.4 1.3.1 1.3.3 2.2.6"
    ),
    "pays_first": Wrong("2.3.2", {"Position": PaysFirst}),
    "zero_priced": Wrong("5.1.1", {"Position": ZeroPriced}),
    # Order
    "canceled_is_rejected": Wrong(
        "2.2.2", {"Order": remapped(reject={"CANCELED": "REJECTED", "EXPIRED": "REJECTED"})}, f"{LEAN} #7382"
    ),
    "expired_is_filled": Wrong(
        "2.2.2", {"Order": remapped(expire=dict.fromkeys(right.OPEN, "FILLED"))}, "GuntharDeNiro/BTCT #404"
    ),
    "late_fill_revives": Wrong("2.2.3", {"Order": LateFillRevives}),
    "late_fill_lost": Wrong("2.2.3", {"Order": LateFillLost}, f"{FT} #3647", also="2.2.2"),
    "fill_lost_in_replace": Wrong(
        "2.2.4", {"Order": FillLostInReplace}, f"{LEAN}.Brokerages.TradeStation #84", also="2.2.2"
    ),
    "leaves_when_done": Wrong("2.2.4", {"Order": LeavesWhenDone}),
    "leaves_of_the_first_qty": Wrong("2.2.4", {"Order": LeavesOfTheFirstQty}, f"{NT} #449"),
    "order_qty_filled": Wrong("1.2.3", {"Order": OrderQtyFilled}, also="2.2.3 2.2.4"),
    "overfilled": Wrong("2.2.4", {"Order": Overfilled}, f"{NT} #3317"),
    "cumulative_added": Wrong("2.2.4", {"Order": CumulativeAdded}, f"{HB} #4625", also="2.2.2"),
    "executions_twice": Wrong("2.2.6", {"Order": ExecutionsTwice}, f"{LEAN} #1271"),
    "repeat_refused": Wrong("2.2.6", {"Order": RepeatRefused}),
    "unweighted_order": Wrong("2.2.4", {"Order": UnweightedOrder}),
    "limit_for_fill": Wrong("2.2.4", {"Order": LimitForFill}, "jesse-ai/jesse #574"),
    "unknown_ignored": Wrong("2.2.1", {"Order": UnknownIgnored}, also="2.2.2"),
    "unmapped_state": Wrong("2.2.1", {"Order": NoteOfAnything}, f"{CCXT} #6915"),
    "illegal_ignored": Wrong("2.2.2", {"Order": IllegalIgnored}),
    "no_such_key": Wrong("5.1.3", {"Order": NoSuchKey}),
    # Book
    "quantities_added": Wrong("3.1.3", {"Book": Added}),
    "snapshot_merged": Wrong("3.1.3", {"Book": Merged}, f"{CCXT} #24944", also="3.1.1 3.1.5"),
    "zero_kept": Wrong("3.1.3", {"Book": ZeroKept}, also="3.1.5 3.1.6"),
    "gap_ignored": Wrong("3.1.5", {"Book": GapIgnored}, f"{CCXT} #29492"),
    "gap_by_one": Wrong("3.1.5", {"Book": GapByOne}),
    "old_applied": Wrong("5.2.4", {"Book": OldApplied}),
    "old_snapshot_dropped": Wrong("3.1.5", {"Book": OldSnapshotDropped}, also="3.1.1 3.1.3"),
    "crossed_is_valid": Wrong("3.1.1", {"Book": CrossedIsValid}),
    "locked_is_crossed": Wrong("3.1.1", {"Book": LockedIsCrossed}),
    "sides_swapped": Wrong("3.1.1", {"Book": SidesSwapped}, "JKorf/Bitfinex.Net #132", also="3.1.3 3.1.5 3.1.6"),
    "worst_ask_first": Wrong("3.1.2", {"Book": WorstAskFirst}, "knowm/XChange #2887", also="3.1.1 3.1.3"),
    "as_they_came": Wrong("3.1.2", {"Book": AsTheyCame}, "beatzxbt/mm-toolbox #28", also="3.1.1 3.1.3"),
    "by_text": Wrong("3.1.2", {"Book": ByText}),
    "depth_ignored": Wrong("3.1.6", {"Book": DepthIgnored}),
    "first_two_of_a_message": Wrong(
        "3.1.3", {"Book": FirstTwoOfAMessage}, "DigitalRuby/ExchangeSharp #713", also="3.1.1 3.1.6"
    ),
    "part_applied": Wrong("5.2.3", {"Book": PartApplied}, "coinbase/coinbase-pro-node #4", also="3.1.3 3.1.5"),
    # RateLimiter and Breaker
    "closed_window": Wrong("4.3.3", {"RateLimiter": ClosedWindow}),
    "fixed_window": Wrong("4.3.3", {"RateLimiter": FixedWindow}),
    "refused_counts": Wrong("4.3.3", {"RateLimiter": RefusedCounts}),
    "each_weighs_one": Wrong("4.3.3", {"RateLimiter": EachWeighsOne}),
    "one_too_few": Wrong("4.3.3", {"RateLimiter": OneTooFew}),
    "refund_allowed": Wrong("5.1.1", {"RateLimiter": RefundAllowed}),
    "nan_passes": Wrong("1.4.4", {"Breaker": NanPasses}, f"{HB} #611"),
    "above_only": Wrong("1.4.4", {"Breaker": AboveOnly}),
    "in_percent": Wrong("1.4.4", {"Breaker": InPercent}, f"{HB} #1226"),
    "reset_early": Wrong("1.4.4", {"Breaker": ResetEarly}),
    "cooling_from_the_last": Wrong("1.4.4", {"Breaker": CoolingFromTheLast}),
    "back_below": Wrong("1.4.4", {"Breaker": BackBelow}),
    "never_reset": Wrong("1.4.4", {"Breaker": NeverReset}),
    # the hot path
    "reads_its_rules": Wrong("4.2.2", {"on_book_update": reads_its_rules}, "Opselon/NexusTradingForexBot #36"),
    "keeps_everything": Wrong("4.2.3", {"on_book_update": keeps_everything}, f"{HB} #1167"),
    "logs_each": Wrong("4.2.5", {"on_book_update": logs_each}, also="4.2.3"),  # where a handler keeps the records
    "prints_each": Wrong("4.2.5", {"on_book_update": prints_each}),
    "waits_for_more": Wrong("4.2.2", {"on_book_update": waits_for_more}),
}
TARGETS = SimpleNamespace(**{name: SimpleNamespace(**wrong.exposed) for name, wrong in TABLE.items()})
