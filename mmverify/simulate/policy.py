"""What the bot holds itself to, as session.toml says: sizes, limits, breakers, deadlines, rate limits, parameters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mmverify.simulate.markets import Market

CURRENCY = "USDT"
LEVELS = 2  # quoted on each side
UNIT = {"spot": 2000, "linear": 200, "inverse": 20}  # an order [lots]
MAX_UNITS = 10  # position
MAX_ORDER_UNITS = 12
HEDGE_UNITS = 5  # from which on it is hedged
MAX_OPEN_ORDERS = 12  # of a symbol
NOTIONAL_PRICE = Decimal(90_000)  # what max_notional values max_position at

MIN_SPREAD_BPS, MIN_EDGE_BPS, MAX_SKEW_BPS = Decimal(3), Decimal("0.5"), Decimal(2)
VOL_MULTIPLIER = Decimal("1.5")
HORIZON_S = 10  # of the volatility that the spread follows
HAIRCUTS = {"USDT": "0", "BTC": "0.05", "BNB": "0.1", "ETH": "0.08", "EUR": "0.02"}

TIMING = {
    "claim_lag_ms": 0,
    "book_stale_ms": 4000,
    "quote_max_age_ms": 50_000,
    "ack_timeout_ms": 3000,
    "cancel_timeout_ms": 3000,
    "max_clock_skew_ms": 5,
    "max_tick_to_order_us": 500,
    "connection_timeout_ms": 2000,
    "resync_timeout_ms": 5000,
}
RATE_LIMITS = {  # by endpoint: weight in a window of so many seconds, share kept free
    "order": (100, 10, Decimal("0.2")),
    "replace": (200, 10, Decimal("0.2")),
    "cancel": (200, 10, Decimal("0.2")),
    "query": (100, 10, Decimal("0.2")),
    "depth": (50, 10, Decimal("0.2")),
    "status": (20, 10, Decimal("0.2")),
}
WEIGHTS = {"query": 5, "depth": 5}  # of a request, else 1


@dataclass(frozen=True)
class Breaker:
    """A circuit breaker: at its threshold it acts, and holds at least for its cool-down."""

    name: str
    threshold: Decimal
    action: str
    cooldown_s: int
    min_count: int = 10


MAX_DRAWDOWN, MAX_DAILY_LOSS = Decimal("0.02"), Decimal(2500)
BREAKERS = {
    breaker.name: breaker
    for breaker in (
        Breaker("drawdown", MAX_DRAWDOWN, "halt", 3),
        Breaker("daily_loss", MAX_DAILY_LOSS, "cancel_all", 3),
        Breaker("reject_rate", Decimal("0.25"), "halt", 5),
        Breaker("stale", Decimal(TIMING["book_stale_ms"]), "cancel_all", 1),
        Breaker("position", Decimal(1), "reduce_only", 3),
        Breaker("message_rate", Decimal(30), "halt", 2, min_count=5),
    )
}

PARAMETERS = {  # value, unit, min, max, default, critical, hot_reload
    "risk_aversion": ("0.01", "1", "0.001", "0.1", "0.01", True, True),
    "fill_decay": ("0.2", "1/USD", "0.05", "1", "0.2", True, True),
    "alpha_usd": ("1", "USD", "0.01", "5", "1", False, True),
    "quote_interval_ms": ("24000", "ms", "1000", "30000", "24000", False, True),
    "stop_distance_bps": ("12", "bps", "2", "100", "12", True, False),
    "hedge_interval_s": ("15", "s", "5", "120", "15", False, True),
}


def max_position(market: Market) -> Decimal:
    """The largest position of a market, either way."""
    return market.qty(MAX_UNITS * UNIT[market.kind])


def max_order_qty(market: Market) -> Decimal:
    """The largest order: one that turns the largest position around."""
    return market.qty(MAX_ORDER_UNITS * UNIT[market.kind])


def max_notional(market: Market) -> Decimal:
    """The largest exposure of a market. [quote]"""
    return market.face(NOTIONAL_PRICE, max_order_qty(market))
