"""Section 1.4, risk calculations: drawdown, stops, limits and breakers of the bot's own risk view."""

from __future__ import annotations

from mmverify.checks.s1_4_breakers import after_trips, breaker_trips
from mmverify.checks.s1_4_equity import drawdown, high_water
from mmverify.checks.s1_4_limits import pending_orders
from mmverify.checks.s1_4_stops import stops

__all__ = ["after_trips", "breaker_trips", "drawdown", "high_water", "pending_orders", "stops"]
