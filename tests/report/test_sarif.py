"""findings.sarif: what a code host needs of SARIF 2.1.0, typed from the standard; nothing of the evidence breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmverify.report import sarif
from mmverify.review.results import Assessment

from .conftest import EVIL, FINDING, MEDIUM, WAIVED

IN_CODE = replace(
    FINDING,
    id="6.1:bounds:x",
    item="6.1",
    location="config/bot.toml:21",
    occurrences=("config/bot.toml:21", "a/b.py:3"),
)
#: Keys that the standard requires of each object, and values that it allows.
LEVELS = {"none", "note", "warning", "error"}


def rendered(assessment: Assessment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sarif.render(assessment))
    assert found["version"] == "2.1.0" and set(found) == {"$schema", "version", "runs"}
    (run,) = found["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "mmverify" and driver["version"]
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in LEVELS and 0 <= result["rank"] <= 100
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result["locations"]:
            assert set(location) in ({"physicalLocation"}, {"logicalLocations"})
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in driver["rules"])
    return run


def test_a_finding_of_a_session_has_a_logical_place(assessed: Callable[..., Assessment]) -> None:
    (result,) = rendered(assessed(FINDING))["results"]
    assert [place["logicalLocations"][0]["fullyQualifiedName"] for place in result["locations"]] == [
        "day/pnl:3",
        "day/pnl:4",
    ]
    assert (result["ruleId"], result["level"], result["occurrenceCount"]) == ("1.3.1", "error", 2)
    assert result["partialFingerprints"] == {"mmverifyFinding/v1": FINDING.id}
    assert "suppressions" not in result


def test_a_finding_in_code_has_its_file_and_line(assessed: Callable[..., Assessment]) -> None:
    (result,) = rendered(assessed(IN_CODE))["results"]
    assert [place["physicalLocation"] for place in result["locations"]] == [
        {"artifactLocation": {"uri": "config/bot.toml"}, "region": {"startLine": 21}},
        {"artifactLocation": {"uri": "a/b.py"}, "region": {"startLine": 3}},
    ]


@pytest.mark.parametrize(("finding", "level"), [(FINDING, "error"), (MEDIUM, "warning")], ids=["critical", "medium"])
def test_severities_are_levels(assessed: Callable[..., Assessment], finding: Any, level: str) -> None:
    assert [result["level"] for result in rendered(assessed(finding))["results"]] == [level]


def test_a_waived_finding_is_suppressed(assessed: Callable[..., Assessment]) -> None:
    waived, kept = rendered(assessed(WAIVED, MEDIUM))["results"]
    assert waived["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "waived in review.toml"}
    ]
    assert "suppressions" not in kept


def test_rules_are_the_items_of_the_findings_once_each_in_the_protocols_order(
    assessed: Callable[..., Assessment],
) -> None:
    rules = rendered(assessed(MEDIUM, IN_CODE, FINDING, WAIVED))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["1.3.1", "1.3.4", "3.3.1", "6.1"]


def test_hostile_text_stays_text(assessed: Callable[..., Assessment]) -> None:
    text = sarif.render(assessed(EVIL))
    assert "\x1b" not in text and "\u202e" not in text
    (result,) = rendered(assessed(EVIL))["results"]
    assert "alert(1)" in result["message"]["text"]


def test_an_error_of_the_review_is_not_a_success(assessed: Callable[..., Assessment]) -> None:
    (call,) = rendered(assessed(FINDING, errors=("3.3.1 vwap on day: KeyError: 'x'",)))["invocations"]
    assert call["executionSuccessful"] is False
    assert call["toolExecutionNotifications"][0]["message"]["text"] == "3.3.1 vwap on day: KeyError: 'x'"
    (call,) = rendered(assessed(FINDING))["invocations"]
    assert call == {"executionSuccessful": True, "toolExecutionNotifications": []}
