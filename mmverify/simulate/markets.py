"""The markets: what is traded, in which steps, at which fees. Inside, prices are whole ticks, quantities whole lots."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Market:
    """An instrument, and how the crowd trades it: its basis to the index [USD], price grid [ticks] and clip [lots]."""

    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    multiplier: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    basis: int
    grid: int
    clip: int

    def price(self, ticks: int) -> Decimal:
        """A price from its ticks."""
        return self.tick_size * ticks

    def qty(self, lots: int) -> Decimal:
        """A quantity from its lots."""
        return self.lot_size * lots

    def lots(self, qty: Decimal) -> int:
        """Whole lots in a quantity, the rest left out (towards 0)."""
        return int(qty / self.lot_size)

    def ticks(self, cents: int) -> int:
        """The nearest tick below a price in cents."""
        return int(Decimal(cents) / 100 / self.tick_size)

    def notional(self, price: Decimal, qty: Decimal) -> Decimal:
        """Worth in the settlement currency: an inverse contract's face is fixed in quote, so divide by the price."""
        if self.kind == "inverse":
            return qty * self.multiplier / price
        return qty * self.multiplier * price

    def face(self, price: Decimal, qty: Decimal) -> Decimal:
        """Worth in the quote currency: for an inverse contract its face, whatever the price."""
        return qty * self.multiplier * (1 if self.kind == "inverse" else price)


def _market(names: str, steps: str, fees: str, crowd: str) -> Market:
    symbol, kind, base, quote, settle = names.split()
    tick_size, lot_size, min_qty, max_qty, min_notional, multiplier = map(Decimal, steps.split())
    maker_fee, taker_fee = map(Decimal, fees.split())
    basis, grid, clip = map(int, crowd.split())
    return Market(
        symbol, kind, base, quote, settle, tick_size, lot_size, min_qty, max_qty, min_notional, multiplier, maker_fee,
        taker_fee, basis, grid, clip,
    )  # fmt: skip


MARKETS = (
    # names; tick, lot, least and most quantity, least notional, multiplier; maker and taker fee; basis, grid, clip
    _market("BTC-USDT spot BTC USDT USDT", "0.01 0.00001 0.00010 50 10 1", "0.0001 0.0004", "0 300 100"),
    _market("BTC-USDT-PERP linear BTC USDT USDT", "0.1 1 10 500000 10 0.0001", "-0.00005 0.0003", "12 30 10"),
    _market("BTC-USD-PERP inverse BTC USD BTC", "0.5 1 1 30000 100 100", "0.0001 0.0004", "-9 6 1"),
)
