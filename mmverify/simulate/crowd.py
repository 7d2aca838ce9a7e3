"""Everybody else: the price that the market agrees on, and those who quote and take around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from random import Random

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock
from mmverify.simulate.feed import Feed
from mmverify.simulate.markets import Market
from mmverify.simulate.matching import Book, Order

LEVELS = 6  # that the crowd quotes on each side
HALF_SPREAD = 2  # of the crowd, in grid steps
WALL = 2000  # clips on the deepest level, more than anybody takes
HOME = 6_000_000  # where the index is drawn back to [cents]
STEP = 250  # of the index in a second, at most [cents]
REQUOTE, PAUSE, MARK, RATE = 13 * SECOND, 20 * SECOND, 8 * SECOND, 20 * SECOND
STROKE = 5 * SECOND  # many bots act on round times
RATES = {"BNB USDT": Decimal(610), "ETH BTC": Decimal("0.0412"), "USDT EUR": Decimal("0.9215")}
FACE = Decimal("0.9998")  # of a USD in USDT

Trade = Callable[..., int]


class Crowd:
    """The index, and the crowd of each market.

    Parameters
    ----------
    trade : Callable
        Called with symbol, side, lots and limit of what the crowd takes; gives what found no counterparty.

    Attributes
    ----------
    prices : dict of str to Decimal
        Marks by symbol, and ``BNB``.
    pull : int
        What draws the index elsewhere for a while. [cents]
    storm : int
        How many times wilder than usual the index moves.
    """

    def __init__(
        self, clock: Clock, rng: Random, feed: Feed, *, markets: Mapping[str, Market], books: Mapping[str, Book],
        trade: Trade,
    ) -> None:  # fmt: skip
        self._clock, self._rng, self._feed, self._trade = clock, rng, feed, trade
        self._markets, self._books = markets, books
        self.index, self.pull, self.storm = HOME, 0, 1
        self.lasts = dict.fromkeys(markets, 0)
        self.prices = {"BNB": RATES["BNB USDT"]}
        self.shock = Decimal(1)  # on the price of ETH
        self._fair: dict[str, int] = {}
        self._own: dict[str, list[Order]] = {symbol: [] for symbol in markets}
        self._quiet = dict.fromkeys(markets, 0)
        self._absent: dict[str, str] = dict.fromkeys(markets, "")
        self._rates = dict(RATES)

    def open(self) -> None:
        """Quote for the first time, and put on the clock what recurs."""
        self.publish_rates()
        self._clock.every(SECOND, self._move, rng=self._rng)
        self._clock.every(RATE, self.publish_rates, rng=self._rng)
        for symbol in self._markets:
            self._set_fair(symbol)
            self.requote(symbol)
            self.publish_mark(symbol)
            self._clock.every(REQUOTE, partial(self.requote, symbol), rng=self._rng)
            self._clock.every(MARK, partial(self.publish_mark, symbol), rng=self._rng)
            self._clock.after(2 * SECOND, partial(self._aggress, symbol))

    def rest(self, symbol: str, duration: int) -> None:
        """Let nobody come for a while: no trades, and the price stands. [ns]"""
        self._quiet[symbol] = self._clock.now + duration

    def leave(self, symbol: str, side: str) -> None:
        """Withdraw from one side until the next `requote` after `leave(symbol, "")`."""
        self._absent[symbol] = side
        self.requote(symbol)

    def jump(self, cents: int) -> None:
        """Move the index at once; it is drawn back to where it was within a minute or two."""
        self.index += cents
        for symbol in self._markets:
            self._set_fair(symbol)
            self.requote(symbol)
            self.publish_mark(symbol)

    def publish_mark(self, symbol: str) -> None:
        """Publish mark, index and last price: the mark is a premium off the index, not the mid."""
        market = self._markets[symbol]
        premium = market.basis * 75 + self._rng.randint(-100, 100)
        mark = self.prices[symbol] = market.price(market.ticks(self.index + premium))
        last = market.price(self.lasts[symbol]) if self.lasts[symbol] else mark
        self._feed.send("marks", [{"symbol": symbol, "mark": mark, "index": Decimal(self.index) / 100, "last": last}])

    def publish_rates(self) -> None:
        """Publish what one asset is worth in another."""
        self._rates["BNB USDT"] += Decimal(self._rng.randint(-5, 5)) / 1000
        self._rates["ETH BTC"] = RATES["ETH BTC"] + Decimal(self._rng.randint(-3, 3)) / 100_000
        self.prices["BNB"] = self._rates["BNB USDT"]
        rates = {"BTC USDT": Decimal(self.index) / 100, **self._rates, "USD USDT": FACE}
        rates["ETH BTC"] *= self.shock
        rows = []
        for pair, rate in rates.items():
            asset, currency = pair.split()
            rows.append({"asset": asset, "currency": currency, "rate": rate})
        self._feed.send("rates", rows)

    def requote(self, symbol: str) -> None:
        """Quote around the fair price: keep what still fits, withdraw the rest, come anew; what now crosses trades."""
        market, book, fair = self._markets[symbol], self._books[symbol], self._fair[symbol]
        middle = (fair + market.grid // 2) // market.grid * market.grid
        wanted = {
            (side, middle + sign * step * market.grid): WALL if step == HALF_SPREAD + LEVELS - 1 else 0
            for step in range(HALF_SPREAD, HALF_SPREAD + LEVELS)
            for side, sign in (("buy", -1), ("sell", 1))
            if side != self._absent[symbol]
        }
        kept: list[Order] = []
        for order in self._own[symbol]:
            wall = wanted.get((order.side, order.price))
            if order.leaves and wall is not None and (wall > 0) == (order.leaves > 100 * market.clip) and self._stays():
                kept.append(order)
                del wanted[order.side, order.price]
            elif order.leaves:
                book.remove(order)
        for (side, price), wall in wanted.items():
            lots = (wall or self._rng.randint(4, 40)) * market.clip
            if market.kind == "spot" and not wall and self._rng.random() < 0.1:
                lots = self._rng.randint(20, 190)  # an odd lot
            left = self._trade(symbol, side, lots, price)
            if left:
                kept.append(Order(side, price, left, left))
                book.add(kept[-1])
        self._own[symbol] = kept
        self._feed.publish(symbol)

    def _stays(self) -> bool:
        return self._rng.random() < 0.93

    def _move(self) -> None:
        drawn = (HOME - self.index) // 1500
        self.index += self._rng.randint(-STEP, STEP) * self.storm + drawn + self.pull
        for symbol in self._markets:
            self._set_fair(symbol)

    def _set_fair(self, symbol: str) -> None:
        if self._clock.now >= self._quiet[symbol]:
            market = self._markets[symbol]
            self._fair[symbol] = market.ticks(self.index + 100 * market.basis + self._rng.randint(-50, 50))

    def _aggress(self, symbol: str) -> None:
        """Somebody takes; now and then on a round time, now and then less than min_qty."""
        market = self._markets[symbol]
        coming = self._clock.venue_now + self._rng.randrange(50 * MILLISECOND, PAUSE)
        if self._rng.randrange(8) == 0:
            coming += -coming % STROKE
        self._clock.at_venue(coming, partial(self._aggress, symbol))
        if self._clock.now < self._quiet[symbol]:
            return
        side = self._rng.choice(("buy", "sell"))
        lots = self._rng.randint(1, 60) * market.clip
        if market.min_qty > market.lot_size and self._rng.randrange(25) == 0:
            lots = self._rng.randint(1, 9)
        reach = 20 * market.grid * (1 if side == "buy" else -1)
        self._trade(symbol, side, lots, self._fair[symbol] + reach)
        self._feed.publish(symbol)
