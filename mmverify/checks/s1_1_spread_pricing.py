"""Section 1.1, spread and pricing: each quote against its own fair value, its book and the grid of its market."""

from __future__ import annotations

from mmverify.checks.s1_1_crossing import crossed_quotes, own_orders_crossed, post_only_prices
from mmverify.checks.s1_1_mid import mid_of_book
from mmverify.checks.s1_1_money import money_sums
from mmverify.checks.s1_1_sent import price_digits, prices_on_tick
from mmverify.checks.s1_1_symmetry import half_spreads, skew_cap, skew_direction
from mmverify.checks.s1_1_widening import least_spread, spread_beyond_fees, spread_by_volatility, widening

__all__ = [
    "crossed_quotes", "half_spreads", "least_spread", "mid_of_book", "money_sums", "own_orders_crossed",
    "post_only_prices", "price_digits", "prices_on_tick", "skew_cap", "skew_direction", "spread_beyond_fees",
    "spread_by_volatility", "widening",
]  # fmt: skip
