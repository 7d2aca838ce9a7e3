"""What the bot claims from time to time: P&L, balances, equity, signals, its view of the books.

Each claim is exact until it is rounded once, half to even, to eight digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from random import Random

from mmverify.simulate.clock import SECOND, Clock
from mmverify.simulate.knowledge import EMA_SPAN, Knowledge
from mmverify.simulate.ledger import Amounts
from mmverify.simulate.markets import Row
from mmverify.simulate.policy import CURRENCY, HAIRCUTS
from mmverify.simulate.signals import YEAR, Ema, closes, volatility, vwap

CLAIMED = Decimal("1e-8")
CLAIM_PERIOD = 20 * SECOND
BALANCE_PERIOD, LOOK_PERIOD = 60 * SECOND, 60 * SECOND
LOOK_LEVELS = 5
VWAP_WINDOW = 60 * SECOND
BUCKET_EMA = {"span": 6, "period_ns": 20 * SECOND}
BUCKET_EMA_BUCKETS = 9
VOLATILITY = {"n": 12, "period_ns": 5 * SECOND, "ddof": 1}
VOLATILITY_EXTRA = {"BTC-USDT": {"periods_per_year": 252 * 24 * 3600 // 5}}  # the others: a 365-day year


def claimed(value: Decimal) -> Decimal:
    """Round a claim, once, half to even."""
    return value.quantize(CLAIMED, ROUND_HALF_EVEN)


class Claims:
    """Records the claims.

    Parameters
    ----------
    record : Callable
        Called with a table's name and a row.
    """

    def __init__(self, clock: Clock, rng: Random, known: Knowledge, record: Callable[[str, Row], None]) -> None:
        self._clock, self._rng, self._known, self._record = clock, rng, known, record
        self._conventions = known.conventions

    def start(self) -> None:
        """Put the claims on the clock."""
        self._clock.every(CLAIM_PERIOD, self._claim, rng=self._rng)
        self._clock.every(BALANCE_PERIOD, self._balances, rng=self._rng)
        for symbol in self._known.markets:
            self._clock.every(LOOK_PERIOD, partial(self._look, symbol), rng=self._rng)

    def position(self, symbol: str) -> None:
        """Claim the position of a symbol."""
        row = {"ts_local": self._clock.now, "symbol": symbol, "qty": self._known.position(symbol), "source": "bot"}
        self._record("positions", row)

    def _claim(self) -> None:
        self._pnl()
        for symbol in self._known.markets:
            self._signals(symbol)

    # Money

    def _pnl(self) -> None:
        """One row a symbol in its settlement currency, their sum in the session's; none while a price is missing."""
        by_fill, kind = self._conventions["conversion"] == "fill", self._conventions["unrealized_price"]
        prices = {symbol: self._known.price(symbol, kind) for symbol in self._known.markets}
        if any(prices[symbol] is None and self._known.position(symbol) for symbol in prices):
            return
        sum_, sum_unrealized = Amounts(), Decimal(0)
        for symbol, market in self._known.markets.items():
            ledger, rate, price = self._known.ledgers[symbol], self._known.rate(market.settle, CURRENCY), prices[symbol]
            unrealized = Decimal(0) if price is None else ledger.unrealized(price)
            self._pnl_row(symbol, ledger.settled, unrealized, market.settle, price)
            own = ledger.converted if by_fill else ledger.settled.times(rate)
            sum_ = Amounts(sum_.realized + own.realized, sum_.fees + own.fees, sum_.funding + own.funding)
            sum_unrealized += unrealized * rate
        self._pnl_row("*", sum_, sum_unrealized, CURRENCY, None)

    def _pnl_row(self, symbol: str, own: Amounts, unrealized: Decimal, currency: str, price: Decimal | None) -> None:
        net = own.realized - own.fees
        row = {"ts_local": self._clock.now, "symbol": symbol, "currency": currency, "price": price}
        row |= {"realized": claimed(net if self._conventions["realized"] == "net" else own.realized)}
        row |= {"unrealized": claimed(unrealized), "fees": claimed(own.fees), "funding": claimed(own.funding)}
        self._record("pnl", {**row, "total": claimed(net + unrealized + own.funding)})

    def _balances(self) -> None:
        """Value each asset in the session's currency: what is owed counts in full, without a haircut."""
        for asset, total in self._known.wallet.items():
            haircut = Decimal(HAIRCUTS[asset])
            value = total * self._known.rate(asset, CURRENCY) * (1 - haircut if total > 0 else 1)
            row = {"ts_local": self._clock.now, "asset": asset, "total": total, "haircut": haircut}
            self._record("balances", {**row, "value": claimed(value), "currency": CURRENCY, "source": "bot"})

    # Market data

    def _look(self, symbol: str) -> None:
        """Record the bot's own book."""
        view = self._known.views[symbol]
        if not view.waiting:
            for side in ("bid", "ask"):
                for level, (price, qty) in enumerate(view.top(side, LOOK_LEVELS)):
                    row = {"ts_local": self._clock.now, "symbol": symbol, "seq": view.seq, "side": side}
                    self._record("bot_book", {**row, "level": level, "price": price, "qty": qty})

    def _signals(self, symbol: str) -> None:
        """Windows end at the last stroke of the claim period; only the running EMA takes all trades that there are."""
        tape, end = self._known.tapes[symbol], self._clock.now - (self._clock.now - self._clock.start) % CLAIM_PERIOD
        start = end - VWAP_WINDOW
        trades = tape.window(start, end)
        newest = max((trade.ts_local for trade in trades), default=None)
        volume = sum((trade.qty for trade in trades), Decimal(0))
        self._signal(symbol, "vwap", vwap(trades), start, end, {}, newest)
        self._signal(symbol, "volume", volume, start, end, {}, newest)
        until = max(self._clock.now, tape.newest_exchange + 1)
        self._signal(symbol, "ema", tape.ema(), self._clock.start, until, {"span": EMA_SPAN}, tape.newest_local or None)
        self._bucket_ema(symbol, end)
        self._volatility(symbol, end)
        view = self._known.views[symbol]
        if all(view.levels.values()):
            self._signal(symbol, "imbalance", view.imbalance(), None, None, {}, view.ts_local)

    def _bucket_ema(self, symbol: str, end: int) -> None:
        """EMA over bucket closes, published while every bucket has one."""
        period = BUCKET_EMA["period_ns"]
        start = end - BUCKET_EMA_BUCKETS * period
        trades = self._known.tapes[symbol].window(start, end)
        prices = [p for p in closes(trades, start=start, period=period, buckets=BUCKET_EMA_BUCKETS) if p is not None]
        if len(prices) == BUCKET_EMA_BUCKETS:
            newest = max(trade.ts_local for trade in trades)
            value = Ema(span=BUCKET_EMA["span"], init=self._conventions["ema_init"]).of(prices)
            self._signal(symbol, "ema", value, start, end, BUCKET_EMA, newest)

    def _volatility(self, symbol: str, end: int) -> None:
        """Volatility of n returns; an empty bucket repeats the last price, an empty first one has none to repeat."""
        params = VOLATILITY | VOLATILITY_EXTRA.get(symbol, {})
        period, buckets = params["period_ns"], params["n"] + 1
        start = end - buckets * period
        trades = self._known.tapes[symbol].window(start, end)
        prices: list[Decimal] = []
        for price in closes(trades, start=start, period=period, buckets=buckets):
            if price is None and not prices:
                return
            prices.append(prices[-1] if price is None else price)
        per_year = Decimal(params.get("periods_per_year", YEAR // period))
        kind, newest = self._conventions["volatility"], max(trade.ts_local for trade in trades)
        value = volatility(prices, kind=kind, ddof=params["ddof"], periods_per_year=per_year)
        self._signal(symbol, "volatility", value, start, end, params, newest)

    def _signal(
        self, symbol: str, name: str, value: Decimal | None, start: int | None, end: int | None,
        params: Mapping[str, int], newest: int | None,
    ) -> None:  # fmt: skip
        row = {"ts_local": self._clock.now, "symbol": symbol, "name": name}
        row |= {"window_start": start, "window_end": end, "params": json.dumps(params) if params else None}
        self._record("signals", {**row, "value": None if value is None else claimed(value), "ts_input_max": newest})
