"""Fair value and quote prices. All but `mid` are on the hot path, which builds no text and no container."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from bot.money import ROUND, WIDE, number, one_of, positive, unsigned

SIDES = ("buy", "sell")
Level = tuple[Decimal, Decimal]


def mid(bids: Iterable[Level], asks: Iterable[Level], min_qty: Decimal | int = 0) -> Decimal | None:
    """Give the mean of the best bid and ask of at least `min_qty`, None where a side has none."""
    least = unsigned(min_qty)
    bid = max(_counted(bids, least), default=None)
    ask = min(_counted(asks, least), default=None)
    if bid is None or ask is None:
        return None
    with localcontext(WIDE):
        return ROUND.plus((bid + ask) / 2)


def _counted(levels: Iterable[Level], least: Decimal) -> list[Decimal]:
    known = [(positive(price), unsigned(qty)) for price, qty in levels]
    return [price for price, qty in known if qty >= least and qty > 0]


def microprice(bid: Decimal, bid_qty: Decimal, ask: Decimal, ask_qty: Decimal) -> Decimal:
    """Weigh each best price with the quantity of the other side."""
    with localcontext(WIDE):
        total = unsigned(bid_qty) + unsigned(ask_qty)
        if not total:
            raise ValueError("no quantity on either side")
        return ROUND.plus((positive(bid) * ask_qty + positive(ask) * bid_qty) / total)


def quote(fair: Decimal, half_spread: Decimal, skew: Decimal, tick: Decimal) -> tuple[Decimal, Decimal]:
    """Put a bid and an ask around fair + skew, each rounded away from it to a tick."""
    with localcontext(WIDE):
        centre = positive(fair) + number(skew)
        bid = _on_grid(centre - unsigned(half_spread), positive(tick), ROUND_FLOOR)
        ask = _on_grid(centre + half_spread, tick, ROUND_CEILING)
    if not 0 < bid < ask:
        raise ValueError("no bid above 0 and below the ask")
    return bid, ask


def round_price(price: Decimal, tick: Decimal, side: str) -> Decimal:
    """Round a buyer's price down and a seller's up to a tick."""
    way = ROUND_FLOOR if one_of(side, SIDES) == "buy" else ROUND_CEILING
    return _on_grid(positive(price), positive(tick), way)


def round_qty(qty: Decimal, lot: Decimal) -> Decimal:
    """Round a quantity down to a lot; below one lot it is 0, which is not to be sent."""
    return _on_grid(unsigned(qty), positive(lot), ROUND_FLOOR)


def _on_grid(value: Decimal, step: Decimal, way: str) -> Decimal:
    with localcontext(WIDE):
        return (value / step).to_integral_value(way) * step
