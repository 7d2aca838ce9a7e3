"""Section 5.3, what exchanges do: cancels of their own, outages, forced closings, rate limits, error codes."""

from __future__ import annotations

from mmverify.checks.s5_3_cancels import exchange_cancels as exchange_cancels
from mmverify.checks.s5_3_errors import error_codes as error_codes
from mmverify.checks.s5_3_errors import unknown_orders as unknown_orders
from mmverify.checks.s5_3_forced import forced_positions as forced_positions
from mmverify.checks.s5_3_forced import forced_results as forced_results
from mmverify.checks.s5_3_forced import forced_trips as forced_trips
from mmverify.checks.s5_3_pauses import backoff as backoff
from mmverify.checks.s5_3_pauses import retry_after as retry_after
