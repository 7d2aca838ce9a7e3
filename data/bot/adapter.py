"""The bot's functions and objects under the names that a conformance test calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot import orders
from bot.accounting import (
    Position,
    convert,
    drawdown,
    fee,
    funding,
    notional,
    realized_pnl,
    unrealized_pnl,
)
from bot.book import Book
from bot.clock import duration, parse_ts, window_of
from bot.engine import Engine
from bot.orders import order_id
from bot.prices import microprice, mid, quote, round_price, round_qty
from bot.risk import Breaker, RateLimiter, exposure, liquidation_price
from bot.settings import load
from bot.signals import ema, lee_ready, returns, trade_signs, volatility, vwap

__all__ = [
    "Book", "Breaker", "Order", "Position", "RateLimiter", "convert", "drawdown", "duration", "ema", "exposure", "fee",
    "funding", "lee_ready", "liquidation_price", "microprice", "mid", "notional", "on_book_update", "order_id",
    "parse_ts", "quote", "realized_pnl", "returns", "round_price", "round_qty", "trade_signs", "unrealized_pnl",
    "volatility", "vwap", "window_of",
]  # fmt: skip

CONVENTIONS = {
    "ema_nan": "repeat",
    "maintenance_at": "mark",
    "mid_min_qty": "0",
    "realized": "gross",
}
ERRORS = (ValueError,)


class Order(orders.Order):
    """The bot's order: what happens to it is a report."""

    apply = orders.Order.on_report


_ENGINE = Engine(load(Path(__file__).with_name("config") / "bot.toml"))


def on_book_update(update: Mapping[str, Any]) -> None:
    """Run the hot path; the first message of a feed holds the whole book."""
    if update["prev_seq"] == 0:
        _ENGINE.on_snapshot(update)
    else:
        _ENGINE.on_book_update(update)
