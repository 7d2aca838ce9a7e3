"""A small market maker: it quotes, keeps its own books of what the venue told it, and claims what they say.

It knows only what has arrived; each claim is exact until it is rounded once, half to even, to eight digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from functools import partial
from random import Random

from mmverify.simulate.clock import MILLISECOND, SECOND, Clock, Wire
from mmverify.simulate.ledger import Amounts, Execution, Ledger
from mmverify.simulate.signals import YEAR, Ema, Tape, closes, volatility, vwap
from mmverify.simulate.venue import Market, Order, Row, Venue

CURRENCY = "USDT"
CLAIM_DIGITS = 8
CLAIM_PERIOD = 10 * SECOND
BALANCE_PERIOD = 30 * SECOND
QUOTE_PERIOD = 4 * SECOND
VWAP_WINDOW = 60 * SECOND
EMA_SPAN = 20
BUCKET_EMA = {"span": 6, "period_ns": 10 * SECOND}
BUCKET_EMA_BUCKETS = 12
VOLATILITY = {"n": 12, "period_ns": 5 * SECOND, "ddof": 1}
VOLATILITY_EXTRA = {"BTC-USDT": {"periods_per_year": 252 * 24 * 3600 // 5}}  # the others: a 365-day year
HAIRCUTS = {"USDT": "0", "BTC": "0.05", "BNB": "0.1", "ETH": "0.08", "EUR": "0.02"}
ORDER_QTY = {"spot": Decimal("0.02"), "linear": Decimal(200), "inverse": Decimal(12)}
HEDGE_AT, MAX_POSITION, MAX_ORDER = 3, 10, 8  # in order quantities; hedging keeps it far below the limits
MIN_SPREAD_BPS = Decimal(2)
HEDGE_REACH = Decimal(40)  # beyond the best price
MAX_SKEW_BPS = 2


def claimed(value: Fraction | Decimal) -> Decimal:
    """Round a claim, once, half to even."""
    return Decimal(round(Fraction(value) * 10**CLAIM_DIGITS)).scaleb(-CLAIM_DIGITS)


def to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Round down or up to a whole number of ticks or lots."""
    return (value / step).to_integral_value(rounding) * step


class Bot:
    """The market maker.

    Parameters
    ----------
    conventions : Mapping of str to str
        How it computes what it claims, as the session's [conventions] state it.
    record : Callable
        Called with a table's name and row for each of its claims.
    """

    def __init__(
        self, clock: Clock, wire: Wire, rng: Random, venue: Venue, *,
        conventions: Mapping[str, str], markets: Sequence[Market], record: Callable[[str, Row], None],
    ) -> None:  # fmt: skip
        self.clock, self.wire, self.rng, self.venue = clock, wire, rng, venue
        self.conventions, self.record = conventions, record
        self.markets = {market.symbol: market for market in markets}
        self.ledgers = {symbol: Ledger(m, cost_basis=conventions["cost_basis"]) for symbol, m in self.markets.items()}
        self.tapes = {symbol: Tape(self._ema(EMA_SPAN)) for symbol in self.markets}
        self.books: dict[str, dict[str, dict[Decimal, Decimal]]] = {s: {"bid": {}, "ask": {}} for s in self.markets}
        self.book_heads: dict[str, Row] = {}
        self.marks: dict[str, Row] = {}
        self.rates: dict[tuple[str, str], Decimal] = {}
        self.wallet: dict[str, Decimal] = {}
        self.fills: dict[str, Row] = {}
        self.orders = 0
        self.hedges = 0

    def start(self) -> None:
        """Put the bot's rounds on the clock: quotes, claims of P&L and signals, claims of balances."""
        for offset, symbol in enumerate(self.markets):
            self._every(QUOTE_PERIOD, partial(self._quote, symbol), SECOND * (offset + 3))
        self._every(CLAIM_PERIOD, self._claim, CLAIM_PERIOD)
        self._every(BALANCE_PERIOD, self._claim_balances, BALANCE_PERIOD)

    def _every(self, period: int, action: Callable[[], None], first: int) -> None:
        """Act once in each period, some milliseconds after its stroke."""

        def happen() -> None:
            action()
            self._every(period, action, first + period)

        self.clock.at(self.clock.start + first + self.rng.randrange(1 * MILLISECOND, 20 * MILLISECOND), happen)

    # What arrives

    def receive(self, table: str, rows: list[Row]) -> None:
        """Take in one message of the venue's."""
        handlers: dict[str, Callable[[Row], None]] = {
            "book": self._on_book,
            "trades": self._on_trade,
            "fills": self._on_fill,
            "funding": self._on_funding,
            "marks": self._on_mark,
            "rates": self._on_rate,
            "transfers": self._on_transfer,
            "balances": self._on_balance,
            "positions": lambda row: None,
        }
        for row in rows:
            handlers[table](row)
        if table == "fills":
            symbols = {row["symbol"]: None for row in rows}
            soon = self.clock.now + self.rng.randrange(20_000, 60_000)
            self.clock.at(soon, partial(self._claim_positions, list(symbols)))

    def _on_book(self, row: Row) -> None:
        levels = self.books[row["symbol"]][row["side"]]
        if row["qty"]:
            levels[row["price"]] = row["qty"]
        else:
            levels.pop(row["price"], None)
        self.book_heads[row["symbol"]] = row

    def _on_trade(self, row: Row) -> None:
        """Classify a trade by the venue's aggressor; what is smaller than an order may be stays out of the signals."""
        market = self.markets[row["symbol"]]
        used = row["qty"] >= market.min_qty
        reason = "" if used else "below min_qty"
        head = {"trade_id": row["trade_id"], "symbol": market.symbol, "side": row["aggressor"]}
        self.record("bot_trades", {**head, "used": str(used).lower(), "reason": reason})
        if used:
            times = {"ts_exchange": row["ts_exchange"], "ts_local": row["ts_local"]}
            self.tapes[market.symbol].add(**times, price=row["price"], qty=row["qty"])

    def _on_mark(self, row: Row) -> None:
        self.marks[row["symbol"]] = row

    def _on_rate(self, row: Row) -> None:
        self.rates[row["asset"], row["currency"]] = row["rate"]

    def _on_transfer(self, row: Row) -> None:
        self.wallet[row["asset"]] += row["amount"]

    def _on_balance(self, row: Row) -> None:
        """The first account message is the opening; from then on the bot keeps its own count."""
        self.wallet.setdefault(row["asset"], row["total"])

    def _on_funding(self, row: Row) -> None:
        self.ledgers[row["symbol"]].receive_funding(Fraction(row["amount"]), self._rate(row["asset"], CURRENCY))

    def _on_fill(self, row: Row) -> None:
        """Book an execution once, however often it is reported; restate the one that a correction or bust names."""
        if row["exec_id"] in self.fills:
            return
        self.fills[row["exec_id"]] = row
        market, ledger = self.markets[row["symbol"]], self.ledgers[row["symbol"]]
        direction = 1 if row["side"] == "buy" else -1
        was = self.fills.get(row["correction_of"], {"qty": Decimal(0), "price": Decimal(0)})
        qty = Decimal(0) if row["kind"] == "bust" else row["qty"]
        fee, base_fee = Fraction(row["fee"]), Decimal(0)
        if market.kind == "spot" and row["fee_asset"] == market.base:
            base_fee = row["fee"]
            fee *= Fraction(row["price"])
        elif row["fee_asset"] != market.settle:
            fee *= self._rate(row["fee_asset"], market.settle)
        rate = self._rate(market.settle, CURRENCY)
        if row["correction_of"]:
            ledger.restate(row["correction_of"], direction * qty, row["price"])
        else:
            ledger.execute(row["exec_id"], Execution(direction * qty - base_fee, row["price"], rate))
        ledger.pay_fee(fee, rate)
        if market.kind == "spot":
            self.wallet[market.base] += direction * (qty - was["qty"])
            self.wallet[market.quote] -= direction * (qty * row["price"] - was["qty"] * was["price"])
            self.wallet[row["fee_asset"]] -= row["fee"]

    def _rate(self, asset: str, currency: str) -> Fraction:
        """Last known rate: direct, else the inverse pair's, else through one currency between."""
        if asset == currency:
            return Fraction(1)
        if (asset, currency) in self.rates:
            return Fraction(self.rates[asset, currency])
        if (currency, asset) in self.rates:
            return 1 / Fraction(self.rates[currency, asset])
        between = next(middle for known, middle in self.rates if known == asset)
        return Fraction(self.rates[asset, between]) * self._rate(between, currency)

    # Quoting

    def _best(self, symbol: str) -> tuple[Decimal, Decimal]:
        return max(self.books[symbol]["bid"]), min(self.books[symbol]["ask"])

    def _quote(self, symbol: str) -> None:
        """Withdraw the old quotes; hedge a position that has grown too large, else quote around mid plus skew."""
        market, position, best = self.markets[symbol], self.ledgers[symbol].position, self._best(symbol)
        self._send(partial(self.venue.cancel, symbol))
        unit = ORDER_QTY[market.kind]
        if abs(position) >= HEDGE_AT * unit:
            self._hedge(market, position, best)
            return
        tick, mid = market.tick_size, (best[0] + best[1]) / 2
        skew = to_step(-position / unit, tick, ROUND_FLOOR)
        half_spread = to_step(mid * MIN_SPREAD_BPS / 20_000, tick, ROUND_CEILING)
        bid = min(to_step(mid + skew - half_spread, tick, ROUND_FLOOR), best[1] - tick)
        ask = max(to_step(mid + skew + half_spread, tick, ROUND_CEILING), best[0] + tick)
        head = self.book_heads[symbol]
        row = {"ts_local": self.clock.now, "symbol": symbol, "fair_value": mid, "bid": bid, "ask": ask}
        row |= {"bid_qty": unit, "ask_qty": unit, "half_spread": half_spread, "mid": mid, "skew": skew, "level": 0}
        row |= {"best_bid": best[0], "best_ask": best[1], "state": "normal"}
        self.record("quotes", {**row, "book_seq": head["seq"], "book_ts_exchange": head["ts_exchange"]})
        self._submit(symbol, "buy", bid, unit)
        self._submit(symbol, "sell", ask, unit)

    def _hedge(self, market: Market, position: Decimal, best: tuple[Decimal, Decimal]) -> None:
        """Take the other side at once: in turn back to flat, and through it to the other side."""
        self.hedges += 1
        beyond = ORDER_QTY[market.kind] * (self.hedges % 2)
        qty = to_step(abs(position) + beyond, market.lot_size, ROUND_FLOOR)
        if position > 0:
            self._submit(market.symbol, "sell", best[0] - HEDGE_REACH, qty, ioc=True)
        else:
            self._submit(market.symbol, "buy", best[1] + HEDGE_REACH, qty, ioc=True)

    def _submit(self, symbol: str, side: str, price: Decimal, qty: Decimal, *, ioc: bool = False) -> None:
        self.orders += 1
        self._send(partial(self.venue.submit, Order(f"mm-{self.orders}", symbol, side, price, qty, ioc)))

    def _send(self, action: Callable[[], None]) -> None:
        self.wire.carry(action, stream="orders")

    # Claims

    def _claim_positions(self, symbols: list[str]) -> None:
        for symbol in symbols:
            row = {"ts_local": self.clock.now, "symbol": symbol, "qty": self.ledgers[symbol].position, "source": "bot"}
            self.record("positions", row)

    def _claim(self) -> None:
        self._claim_pnl()
        for symbol in self.markets:
            self._claim_signals(symbol)

    def _claim_pnl(self) -> None:
        """One row a symbol in its settlement currency, and their sum in the session's."""
        by_fill = self.conventions["conversion"] == "fill"
        parts: list[tuple[Amounts, Fraction]] = []
        for symbol, market in self.markets.items():
            ledger, rate = self.ledgers[symbol], self._rate(market.settle, CURRENCY)
            price = self._unrealized_price(symbol)
            unrealized = Fraction(0) if price is None else ledger.unrealized(price)
            self._record_pnl(symbol, ledger.settled, unrealized, market.settle, price)
            parts.append((ledger.converted if by_fill else ledger.settled.times(rate), unrealized * rate))
        total = Amounts(
            sum((amounts.realized for amounts, _ in parts), Fraction(0)),
            sum((amounts.fees for amounts, _ in parts), Fraction(0)),
            sum((amounts.funding for amounts, _ in parts), Fraction(0)),
        )
        self._record_pnl("*", total, sum((unrealized for _, unrealized in parts), Fraction(0)), CURRENCY, None)

    def _record_pnl(
        self, symbol: str, own: Amounts, unrealized: Fraction, currency: str, price: Decimal | None
    ) -> None:
        net = own.realized - own.fees
        row = {"ts_local": self.clock.now, "symbol": symbol, "currency": currency, "price": price}
        row |= {"realized": claimed(net if self.conventions["realized"] == "net" else own.realized)}
        row |= {"unrealized": claimed(unrealized), "fees": claimed(own.fees), "funding": claimed(own.funding)}
        self.record("pnl", {**row, "total": claimed(net + unrealized + own.funding)})

    def _unrealized_price(self, symbol: str) -> Decimal | None:
        """The price that the convention names; to exit, a long sells at the best bid, a short buys at the best ask."""
        kind = self.conventions["unrealized_price"]
        if kind not in ("mid", "exit"):
            price: Decimal = self.marks[symbol][kind]
            return price
        (bid, ask), position = self._best(symbol), self.ledgers[symbol].position
        if kind == "mid":
            return (bid + ask) / 2
        return (bid if position > 0 else ask) if position else None

    def _claim_balances(self) -> None:
        """Value each asset in the session's currency: what is owed counts in full, without a haircut."""
        for asset, total in self.wallet.items():
            haircut = Fraction(HAIRCUTS[asset])
            value = Fraction(total) * self._rate(asset, CURRENCY) * (1 - haircut if total > 0 else 1)
            row = {"ts_local": self.clock.now, "asset": asset, "total": total, "haircut": HAIRCUTS[asset]}
            self.record("balances", {**row, "value": claimed(value), "currency": CURRENCY, "source": "bot"})

    # Signals

    def _ema(self, span: int) -> Ema:
        return Ema(span=span, init=self.conventions["ema_init"])

    def _claim_signals(self, symbol: str) -> None:
        """Windows end at the last stroke of the claim period; only the running EMA ends now."""
        tape, end = self.tapes[symbol], self.clock.now - (self.clock.now - self.clock.start) % CLAIM_PERIOD
        start = end - VWAP_WINDOW
        trades = tape.window(start, end)
        newest = max((trade.ts_local for trade in trades), default=None)
        volume = sum((trade.qty for trade in trades), Decimal(0))
        self._record_signal(symbol, "vwap", vwap(trades), start, end, {}, newest)
        self._record_signal(symbol, "volume", volume, start, end, {}, newest)
        running = (self.clock.start, self.clock.now, {"span": EMA_SPAN}, tape.newest_local or None)
        self._record_signal(symbol, "ema", tape.ema(), *running)
        self._claim_bucket_ema(symbol, end)
        self._claim_volatility(symbol, end)

    def _claim_bucket_ema(self, symbol: str, end: int) -> None:
        """EMA over bucket closes, published while every bucket has one."""
        period = BUCKET_EMA["period_ns"]
        start = end - BUCKET_EMA_BUCKETS * period
        trades = self.tapes[symbol].window(start, end)
        prices = [p for p in closes(trades, start=start, period=period, buckets=BUCKET_EMA_BUCKETS) if p is not None]
        if len(prices) == BUCKET_EMA_BUCKETS:
            newest = max(trade.ts_local for trade in trades)
            value = self._ema(BUCKET_EMA["span"]).of(prices)
            self._record_signal(symbol, "ema", value, start, end, BUCKET_EMA, newest)

    def _claim_volatility(self, symbol: str, end: int) -> None:
        """Volatility of n returns; an empty bucket repeats the last price, an empty first one has none to repeat."""
        params = VOLATILITY | VOLATILITY_EXTRA.get(symbol, {})
        period, buckets = params["period_ns"], params["n"] + 1
        start = end - buckets * period
        trades = self.tapes[symbol].window(start, end)
        prices: list[Decimal] = []
        for price in closes(trades, start=start, period=period, buckets=buckets):
            if price is None and not prices:
                return
            prices.append(prices[-1] if price is None else price)
        per_year = Decimal(params.get("periods_per_year", YEAR // period))
        kind, newest = self.conventions["volatility"], max(trade.ts_local for trade in trades)
        value = volatility(prices, kind=kind, ddof=params["ddof"], periods_per_year=per_year)
        self._record_signal(symbol, "volatility", value, start, end, params, newest)

    def _record_signal(
        self, symbol: str, name: str, value: Fraction | Decimal | None, start: int, end: int,
        params: Mapping[str, int], newest: int | None,
    ) -> None:  # fmt: skip
        row = {"ts_local": self.clock.now, "symbol": symbol, "name": name}
        row |= {"window_start": start, "window_end": end, "params": json.dumps(params) if params else None}
        self.record("signals", {**row, "value": None if value is None else claimed(value), "ts_input_max": newest})
