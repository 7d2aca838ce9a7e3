"""Section 3.2, trades: whose side each was on, and whether each was counted, in its own window and once."""

from __future__ import annotations

from mmverify.checks.s3_2_sides import trade_sides as trade_sides
from mmverify.checks.s3_2_used import used_trades as used_trades
from mmverify.checks.s3_2_windows import late_trades as late_trades
from mmverify.checks.s3_2_windows import same_time_trades as same_time_trades
