"""assessment.json, the master that every other report renders."""

from __future__ import annotations

import json

from mmverify.review.results import Assessment


def render(assessment: Assessment) -> str:
    """Return assessment.json: the same text for the same assessment, but for its field ``times``."""
    return json.dumps(assessment.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
