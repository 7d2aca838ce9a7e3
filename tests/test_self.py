"""mmverify stands its own review: nothing of its configuration, documents and secrets is above LOW."""

from __future__ import annotations

from pathlib import Path

from mmverify.review.engine import review
from mmverify.source.evidence import open_source


def test_its_own_tree_raises_nothing_above_low(root: Path) -> None:
    seen = review([], source=open_source(root), focus=["6", "7"])
    assert not seen.errors
    assert [(each.item, each.location, each.current) for each in seen.findings if each.severity != "LOW"] == []
    exercised = {item.id for item in seen.items if item.status == "verified"}
    assert {"6.1", "6.3", "6.4", "6.5", "7.1", "7.2", "7.3", "7.4", "7.6"} <= exercised
