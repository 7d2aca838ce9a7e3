"""6 Configuration: bounds, changes while running, safe defaults, units, and secrets, in a session and a source tree."""

from __future__ import annotations

from mmverify.checks.s6_session import bounds, changes_while_running, limits_and_defaults, secrets_in_evidence, units
from mmverify.checks.s6_source import bounds_in_source, defaults_in_source, secrets_in_source, units_in_source

__all__ = [
    "bounds", "bounds_in_source", "changes_while_running", "defaults_in_source", "limits_and_defaults",
    "secrets_in_evidence", "secrets_in_source", "units", "units_in_source",
]  # fmt: skip
