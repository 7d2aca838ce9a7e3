"""Section 5.2, network failure modes: channels that are down, what comes after, messages in part and twice."""

from __future__ import annotations

from mmverify.checks.s5_2_down import quotes_while_down, safe_shutdowns
from mmverify.checks.s5_2_messages import partial_messages, repeated_fills, repeated_messages, repeated_updates
from mmverify.checks.s5_2_reconnects import after_reconnects

__all__ = [
    "after_reconnects",
    "partial_messages",
    "quotes_while_down",
    "repeated_fills",
    "repeated_messages",
    "repeated_updates",
    "safe_shutdowns",
]
