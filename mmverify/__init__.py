"""mmverify: the production-readiness review of a crypto market-making bot, as executable mathematics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmverify.review.results import Assessment
    from mmverify.session.load import Session, open_session

__version__ = "0.1.0"
__all__ = ["Assessment", "Session", "open_session"]

_HOME = {
    "Assessment": "mmverify.review.results",
    "Session": "mmverify.session.load",
    "open_session": "mmverify.session.load",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'mmverify' has no attribute {name!r}")
