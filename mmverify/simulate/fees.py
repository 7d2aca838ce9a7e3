"""The fees that the venue charges."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from mmverify.simulate.clock import MINUTE
from mmverify.simulate.markets import Market

CENT = Decimal("1e-8")  # the smallest unit of money that the venue books
BNB_DISCOUNT = Decimal("0.75")  # of the rate, where the fee is paid in BNB
TIER_DISCOUNT = Decimal("0.8")  # of the taker rate of a linear contract, once the better tier is reached


def rounded(value: Decimal) -> Decimal:
    """Round an amount of money once, half to even."""
    return value.quantize(CENT, ROUND_HALF_EVEN)


def fee(
    market: Market, *, side: str, price: Decimal, qty: Decimal, liquidity: str, into: int, length: int, bnb: Decimal
) -> tuple[Decimal, str, Decimal | None]:
    """THE FEE RULE: the rate of the execution's liquidity x notional; a cost is positive, a rebate negative.

    A derivative pays in its settlement currency; in the second half of the session a taker of the linear one has a
    better tier. Spot pays in what it receives (a buy in base, a sell in quote), in every third minute in BNB at a
    discount.

    Parameters
    ----------
    into, length : int
        Time since the session's start, and its length. [ns]
    bnb : Decimal
        Price of one BNB. [quote]

    Returns
    -------
    tuple of (Decimal, str, Decimal or None)
        The fee, its asset, and its rate where that is not the instrument's.
    """
    rate = market.maker_fee if liquidity == "maker" else market.taker_fee
    if market.kind != "spot":
        tier = rate * TIER_DISCOUNT if market.kind == "linear" and liquidity == "taker" and 2 * into > length else None
        return rounded(market.notional(price, qty) * (rate if tier is None else tier)), market.settle, tier
    if into // MINUTE % 3 == 2:
        return rounded(price * qty * rate * BNB_DISCOUNT / bnb), "BNB", rate * BNB_DISCOUNT
    if side == "buy":
        return rounded(qty * rate), market.base, None
    return rounded(price * qty * rate), market.quote, None
