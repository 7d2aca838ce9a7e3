"""The evidence: a recorded session, read column by column."""

from __future__ import annotations

from mmverify.session.load import Session, Table, open_session

__all__ = ["Session", "Table", "open_session"]
