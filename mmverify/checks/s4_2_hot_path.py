"""4.2 Hot path: declared, and in what it reaches nothing that blocks, allocates, never ends or writes its own log."""

from __future__ import annotations

from mmverify.checks.s4_2_source import (
    blocking_calls,
    containers_and_texts,
    declared_path,
    loops_and_recursion,
    synchronous_logging,
)

__all__ = ["blocking_calls", "containers_and_texts", "declared_path", "loops_and_recursion", "synchronous_logging"]
