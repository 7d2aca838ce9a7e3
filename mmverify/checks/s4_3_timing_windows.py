"""Section 4.3, timing windows: how long quotes rest, what goes unanswered, rate limits, maintenance."""

from __future__ import annotations

from mmverify.checks.s4_3_ages import quote_ages
from mmverify.checks.s4_3_answers import request_timeouts
from mmverify.checks.s4_3_maintenance import maintenance_windows
from mmverify.checks.s4_3_rates import rate_limits

__all__ = ["maintenance_windows", "quote_ages", "rate_limits", "request_timeouts"]
