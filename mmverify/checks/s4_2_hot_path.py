"""4.2 Hot path: declared, and in what it reaches nothing that blocks, allocates, never ends or writes its own log."""

from __future__ import annotations

from mmverify.checks.s4_2_latency import allocations_per_pass, blocked_time, log_time, stage_order, tick_to_order
from mmverify.checks.s4_2_source import (
    blocking_calls,
    containers_and_texts,
    declared_path,
    loops_and_recursion,
    sanitizer_allocations,
    sanitizer_calls,
    synchronous_logging,
)

__all__ = [
    "allocations_per_pass", "blocked_time", "blocking_calls", "containers_and_texts", "declared_path", "log_time",
    "loops_and_recursion", "sanitizer_allocations", "sanitizer_calls", "stage_order", "synchronous_logging",
    "tick_to_order",
]  # fmt: skip
