"""The bot's orders: the state of each by what it was told, and every event of it on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from mmverify.simulate.clock import Clock
from mmverify.simulate.markets import Market, Row

DONE = ("FILLED", "CANCELED", "REJECTED", "EXPIRED")
CLAIMED = Decimal("1e-8")


@dataclass(eq=False, slots=True)
class Order:
    """An order of the bot's. Price in ticks (None at the market), quantities in lots."""

    client_order_id: str
    market: Market
    side: str
    price: int | None
    qty: int
    intent: str
    type: str = "limit"
    tif: str = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    level: int | None = None
    expires: int | None = None
    order_id: str = ""
    origin: str = "bot"
    state: str = "PENDING_NEW"
    cum: int = 0
    worth: Decimal = Decimal(0)  # of the fills: quantity x price, of an inverse contract quantity / price
    acknowledged: bool = False
    asked: tuple[str, int, int, int | None] | None = None  # id, price, qty, expiry of a replace under way
    awaiting: int = 0  # number of the request that is not answered yet
    unwanted: bool = False
    priced_at: int = 0  # when it was last sent with a price [ns]

    @property
    def live(self) -> bool:
        """Whether it may still be filled, for all the bot knows."""
        return self.state not in DONE

    @property
    def leaves(self) -> int:
        """What is left to be filled. [lots]"""
        return self.qty - self.cum if self.live else 0

    @property
    def most(self) -> int:
        """What may still be filled if a replace under way goes through. [lots]"""
        return max(self.qty, self.asked[2] if self.asked else 0) - self.cum if self.live else 0

    def resting_state(self) -> str:
        """What it is when no request of it is under way."""
        return "PARTIALLY_FILLED" if self.cum else "NEW"


class Orders:
    """All orders of the session.

    Parameters
    ----------
    record : Callable
        Called with a table's name and a row.
    """

    def __init__(self, clock: Clock, record: Callable[[str, Row], None], symbols: list[str]) -> None:
        self._clock, self._record = clock, record
        self._by_id: dict[str, Order] = {}
        self._live: dict[str, list[Order]] = {symbol: [] for symbol in symbols}
        self._numbers = 0

    def new_id(self) -> str:
        """An id that was never used."""
        self._numbers += 1
        return f"mm-{self._numbers}"

    def get(self, client_order_id: str) -> Order | None:
        """The order that had this id at some time."""
        return self._by_id.get(client_order_id)

    def live(self, symbol: str = "") -> Iterator[Order]:
        """The orders of a symbol, or of all, that may still be filled; the oldest first."""
        for each in [symbol] if symbol else list(self._live):
            self._live[each] = [order for order in self._live[each] if order.live]
            yield from self._live[each]

    def add(self, order: Order) -> None:
        """Keep a new order."""
        self._by_id[order.client_order_id] = order
        self._live[order.market.symbol].append(order)

    def open_lots(self, symbol: str, side: str, *, aside: Order | None = None) -> int:
        """THE EXPOSURE RULE: what may still be filled counts: new, resting, being cancelled, being replaced. [lots]"""
        return sum(order.most for order in self.live(symbol) if order.side == side and order is not aside)

    def rename(self, order: Order, client_order_id: str) -> None:
        """Let an order be known by another id too."""
        self._by_id[client_order_id] = order

    def event(self, order: Order, event: str, state: str, *, ts_exchange: int | None = None, **extra: Any) -> None:
        """Take an order to its next state and record that."""
        order.state = state
        if event in ("submit", "replace_ack"):
            order.priced_at = self._clock.now
        market, inverse = order.market, order.market.kind == "inverse"
        average = None
        if order.cum:
            cum = market.qty(order.cum)
            average = (cum / order.worth if inverse else order.worth / cum).quantize(CLAIMED, ROUND_HALF_EVEN)
        row: Row = {"ts_local": self._clock.now, "ts_exchange": ts_exchange, "symbol": market.symbol}
        row |= {"client_order_id": order.client_order_id, "order_id": order.order_id, "event": event}
        row |= {"side": order.side, "type": order.type, "tif": order.tif, "post_only": order.post_only}
        row |= {"reduce_only": order.reduce_only, "level": order.level, "qty": market.qty(order.qty)}
        row |= {"price": None if order.price is None else market.price(order.price), "avg_px": average}
        row |= {"cum_qty": market.qty(order.cum), "leaves_qty": market.qty(order.leaves), "state": state}
        row |= {"ts_expires": order.expires, "origin": order.origin, "intent": order.intent}
        self._record("order_events", row | extra)

    def fill(self, order: Order, *, qty: int, worth: Decimal, exec_id: str, ts_exchange: int) -> None:
        """Add an execution: what was cancelled or has expired stays so, and is booked all the same."""
        order.cum += qty
        order.worth += worth
        event = "fill" if order.cum >= order.qty else "partial_fill"
        state = order.state
        if order.live and event == "fill":
            state = "FILLED"
        elif state in ("PENDING_NEW", "NEW"):
            state = "PARTIALLY_FILLED"
        self.event(order, event, state, ts_exchange=ts_exchange, exec_id=exec_id)

    def restate(self, order: Order, *, qty: int, worth: Decimal, exec_id: str, ts_exchange: int) -> None:
        """Change what was executed, by a correction or a bust."""
        order.cum += qty
        order.worth += worth
        self.event(order, "reconcile", order.state, ts_exchange=ts_exchange, exec_id=exec_id, reason="restated")
