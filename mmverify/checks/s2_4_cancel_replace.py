"""Section 2.4, cancel and replace: what requests name, what refusals leave, and what is live while a cancel is open."""

from __future__ import annotations

from mmverify.checks.s2_4_races import live_quotes, pending_cancels
from mmverify.checks.s2_4_refusals import refused_replaces
from mmverify.checks.s2_4_requests import request_targets

__all__ = ["live_quotes", "pending_cancels", "refused_replaces", "request_targets"]
