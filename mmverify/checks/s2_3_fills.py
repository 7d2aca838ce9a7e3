"""Section 2.3, matching and fills: each fill at its own price, whole, once, in its order, by its own liquidity."""

from __future__ import annotations

from mmverify.checks.s2_3_books import claims_of_one_state, whole_fills
from mmverify.checks.s2_3_liquidity import liquidity_of_executions
from mmverify.checks.s2_3_prices import average_at_fill_prices, fills_within_limits, realized_at_fill_prices
from mmverify.checks.s2_3_quantities import counted_fills
from mmverify.checks.s2_3_sequence import booking_order

__all__ = [
    "average_at_fill_prices", "booking_order", "claims_of_one_state", "counted_fills", "fills_within_limits",
    "liquidity_of_executions", "realized_at_fill_prices", "whole_fills",
]  # fmt: skip
