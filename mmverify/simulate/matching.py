"""The matching engine: one book of resting orders, served by price and then by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

OPPOSITE = {"buy": "sell", "sell": "buy"}


@dataclass(eq=False, slots=True)
class Order:
    """An order as the venue holds it; the crowd's have no ids. Price in ticks, quantities in lots."""

    side: str
    price: int
    qty: int
    leaves: int
    client_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    expires: int = 0
    state: str = "NEW"

    @property
    def filled(self) -> int:
        """What was executed so far. [lots]"""
        return self.qty - self.leaves


class Match(NamedTuple):
    """One execution: who rested, at which price, how much."""

    resting: Order
    price: int
    qty: int


class Book:
    """Queues of resting orders by side and price.

    Attributes
    ----------
    touched : dict of (str, int) to None
        Side and price of each level that changed since the feed last looked, as an ordered set.
    """

    def __init__(self) -> None:
        self.queues: dict[str, dict[int, list[Order]]] = {"buy": {}, "sell": {}}
        self.touched: dict[tuple[str, int], None] = {}

    def best(self, side: str) -> int | None:
        """The best price of a side, None where it is empty."""
        return (max if side == "buy" else min)(self.queues[side], default=None)

    def depth(self, side: str, price: int) -> int:
        """What rests at a price in all. [lots]"""
        return sum(order.leaves for order in self.queues[side].get(price, ()))

    def match(self, side: str, qty: int, limit: int | None, *, client_order_id: str = "") -> list[Match]:
        """THE MATCHING RULE: the best price first; at one price, who came first; each at the price that rested.

        Parameters
        ----------
        side : {"buy", "sell"}
            Of the taker.
        qty : int
            How much it wants. [lots]
        limit : int or None
            The worst price it takes; None for any. [ticks]
        client_order_id : str
            Of the bot's taker: it never trades with the bot's own orders, which are passed over.

        Returns
        -------
        list of Match
            What was traded, in order.
        """
        queues, matches = self.queues[OPPOSITE[side]], []
        for price in sorted(queues, reverse=side == "sell"):
            if not qty or (limit is not None and (price > limit if side == "buy" else price < limit)):
                break
            for resting in list(queues[price]):
                if not qty or (client_order_id and resting.client_order_id):
                    continue
                traded = min(qty, resting.leaves)
                qty -= traded
                resting.leaves -= traded
                matches.append(Match(resting, price, traded))
                if not resting.leaves:
                    self.remove(resting)
            self.touched[OPPOSITE[side], price] = None
        return matches

    def add(self, order: Order) -> None:
        """Let an order rest, behind all that rest at its price."""
        self.queues[order.side].setdefault(order.price, []).append(order)
        self.touched[order.side, order.price] = None

    def remove(self, order: Order) -> None:
        """Take a resting order out."""
        queue = self.queues[order.side][order.price]
        queue.remove(order)
        if not queue:
            del self.queues[order.side][order.price]
        self.touched[order.side, order.price] = None

    def amend(self, order: Order, *, price: int, leaves: int) -> None:
        """Change a resting order: less at the same price keeps its place in time, anything else goes to the back."""
        if price == order.price and leaves <= order.leaves:
            order.leaves = leaves
            self.touched[order.side, order.price] = None
            return
        self.remove(order)
        order.price, order.leaves = price, leaves
        self.add(order)
