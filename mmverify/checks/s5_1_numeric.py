"""Section 5.1, edges of numbers: prices of zero, the largest position, no number, wrong signs, less than a step."""

from __future__ import annotations

from mmverify.checks.s5_1_limit import at_limit as at_limit
from mmverify.checks.s5_1_numbers import account_numbers as account_numbers
from mmverify.checks.s5_1_numbers import equity_numbers as equity_numbers
from mmverify.checks.s5_1_numbers import order_numbers as order_numbers
from mmverify.checks.s5_1_numbers import quote_numbers as quote_numbers
from mmverify.checks.s5_1_numbers import signal_numbers as signal_numbers
from mmverify.checks.s5_1_signs import average_signs as average_signs
from mmverify.checks.s5_1_signs import balance_signs as balance_signs
from mmverify.checks.s5_1_steps import least_steps as least_steps
from mmverify.checks.s5_1_zero import zero_orders as zero_orders
from mmverify.checks.s5_1_zero import zero_published as zero_published
