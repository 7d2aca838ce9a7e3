"""Stops: one for each position, armed where it stands and fired once the stop price is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from mmverify.simulate.clock import Clock
from mmverify.simulate.halts import Halts
from mmverify.simulate.knowledge import Knowledge
from mmverify.simulate.markets import Row
from mmverify.simulate.policy import PARAMETERS, UNIT

DISTANCE_BPS = Decimal(PARAMETERS["stop_distance_bps"][0])


@dataclass(frozen=True)
class Stop:
    """A stop that is armed: a sell fires at or below its price, a buy at or above."""

    stop_id: str
    side: str
    price: Decimal


class Stops:
    """The stops of all symbols.

    Parameters
    ----------
    close : Callable
        Called with symbol and side when a stop fires.
    """

    def __init__(
        self, clock: Clock, known: Knowledge, halts: Halts, record: Callable[[str, Row], None], *,
        close: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._clock, self._known, self._halts, self._record, self._close = clock, known, halts, record, close
        self._kind = known.conventions["stop_price"]
        self._armed: dict[str, Stop] = {}
        self._numbers = 0

    def update(self, symbol: str) -> None:
        """Arm a stop for a position that has none, withdraw one whose position is gone."""
        market, stop = self._known.markets[symbol], self._armed.get(symbol)
        lots = market.lots(self._known.position(symbol))
        side = "sell" if lots > 0 else "buy"
        if stop and (2 * abs(lots) < UNIT[market.kind] or side != stop.side):
            self.disarm(symbol)
            stop = None
        price = self._known.price(symbol, self._kind)
        if stop or abs(lots) < UNIT[market.kind] or self._halts.hard(symbol) or price is None:
            return
        away, rounding = (-DISTANCE_BPS, ROUND_FLOOR) if side == "sell" else (DISTANCE_BPS, ROUND_CEILING)
        ticks = (price * (1 + away / 10_000) / market.tick_size).to_integral_value(rounding)
        self._numbers += 1
        self._armed[symbol] = Stop(f"stop-{self._numbers}", side, ticks * market.tick_size)
        self._row(symbol, "arm", None)

    def watch(self, symbol: str) -> None:
        """Fire the stop of a symbol if its price is reached."""
        stop, price = self._armed.get(symbol), self._known.price(symbol, self._kind)
        if stop and price is not None and (price <= stop.price if stop.side == "sell" else price >= stop.price):
            self._row(symbol, "fire", price)
            del self._armed[symbol]
            self._close(symbol, stop.side)

    def disarm(self, symbol: str) -> None:
        """Withdraw the stop of a symbol."""
        if symbol in self._armed:
            self._row(symbol, "disarm", None)
            del self._armed[symbol]

    def _row(self, symbol: str, event: str, price: Decimal | None) -> None:
        stop = self._armed[symbol]
        row: Row = {"ts_local": self._clock.now, "stop_id": stop.stop_id, "symbol": symbol, "side": stop.side}
        row |= {"stop_price": stop.price, "event": event, "price": price, "price_type": self._kind}
        self._record("stops", row)
