"""assessment.json: the shape that the outside relies on, the same bytes for the same assessment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mmverify.report import data


def test_shape_is_the_one_promised(assessed, finding, medium):
    found = json.loads(data.render(assessed(finding, medium)))
    assert {"version", "status", "session", "counts", "items", "findings", "times"} <= set(found)
    assert (found["version"], found["status"], found["session"]) == (1, "NOT READY", "day")
    assert found["counts"] == {"critical": 1, "high": 0, "medium": 1, "low": 0}
    assert len(found["items"]) == 96
    keys = {"id", "text", "status", "exercised", "checks", "reason", "findings"}
    assert all(keys <= set(item) for item in found["items"])
    assert {item["status"] for item in found["items"]} <= {
        "verified", "failed", "not_assessed", "not_applicable", "attested",
    }  # fmt: skip
    fees = next(item for item in found["items"] if item["id"] == "1.3.3")
    promised = {"name": "fee_rate", "evidence": "session", "status": "verified", "exercised": 728}
    assert promised.items() <= fees["checks"][0].items()
    first = found["findings"][0]
    assert {
        "id", "item", "severity", "title", "location", "category", "description", "current", "correct", "impact", "fix",
        "test", "waived",
    } <= set(first)  # fmt: skip
    assert first["impact"] == {"text": "0.05 USDT: profit that is not there", "amount": 0.05, "currency": "USDT"}
    assert next(item for item in found["items"] if item["id"] == "1.3.1")["findings"] == [first["id"]]


def test_findings_stand_as_given(assessed, finding, medium, waived):
    for order in ([finding, waived, medium], [medium, finding, waived]):
        found = json.loads(data.render(assessed(*order)))
        assert [each["id"] for each in found["findings"]] == [each.id for each in order]


def test_only_the_times_differ_between_two_runs(assessed, evil):
    one = assessed(evil)
    two = replace(assessed(evil), times={"started": "2027-01-01", "seconds": 9.0})
    assert data.render(one) == data.render(assessed(evil))
    assert data.render(one) != data.render(two)
    assert json.loads(data.render(one)) | {"times": 0} == json.loads(data.render(two)) | {"times": 0}


def test_text_is_plain_and_ends_with_a_newline(assessed):
    text = data.render(assessed())
    assert text.startswith('{\n  "version": 1,\n  "status": "NOT READY",\n') and text.endswith("}\n")
    assert "entry_price) × quantity" in text


def test_a_number_that_json_does_not_know_is_refused(assessed, finding):
    broken = replace(finding, impact=replace(finding.impact, amount=float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        data.render(assessed(broken))
