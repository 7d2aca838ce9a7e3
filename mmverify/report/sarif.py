"""findings.sarif: the findings for code hosts, in SARIF 2.1.0; a waived one is a suppression."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from mmverify import __version__
from mmverify.checks import items
from mmverify.report.outline import one_line, visible
from mmverify.review.results import Assessment, Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: Levels of SARIF, and the numbers that code hosts order security findings by.
_LEVELS = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning", "LOW": "note"}
_RANKS = {"CRITICAL": 95.0, "HIGH": 75.0, "MEDIUM": 45.0, "LOW": 15.0}


def render(assessment: Assessment) -> str:
    """Return findings.sarif: a rule an item, a result a finding; what is in no file of the tree has a logical place."""
    used = sorted({finding.item for finding in assessment.findings}, key=list(items()).index)
    driver = {
        "name": "mmverify", "version": __version__, "semanticVersion": __version__,
        "rules": [_rule(item) for item in used],
    }  # fmt: skip
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "results": [_result(finding, used.index(finding.item)) for finding in assessment.findings],
        "invocations": [
            {
                "executionSuccessful": not assessment.errors,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": one_line(error)}} for error in assessment.errors
                ],
            }
        ],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(id: str) -> dict[str, Any]:
    item = items()[id]
    return {
        "id": id, "name": f"Item{id.replace('.', '_')}", "shortDescription": {"text": item.text},
        "fullDescription": {"text": f"Violated when: {item.violated}"},
        "defaultConfiguration": {"level": _LEVELS[item.severity], "rank": _RANKS[item.severity]},
    }  # fmt: skip


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    words = [
        finding.title, finding.description, f"was: {finding.current}", finding.correct,
        f"impact: {finding.impact.text}", f"fix: {finding.fix}",
    ]  # fmt: skip
    out: dict[str, Any] = {
        "ruleId": finding.item, "ruleIndex": rule, "level": _LEVELS[finding.severity],
        "rank": _RANKS[finding.severity], "message": {"text": visible("\n".join(words))},
        "locations": [_location(place, finding.session) for place in finding.occurrences],
        "partialFingerprints": {"mmverifyFinding/v1": one_line(finding.id)}, "occurrenceCount": finding.count,
    }  # fmt: skip
    if finding.waived:
        out["suppressions"] = [{"kind": "external", "status": "accepted", "justification": "waived in review.toml"}]
    return out


def _location(place: str, session: str) -> dict[str, Any]:
    """Return a place: of a file of the tree its line, else the record, call or setting by name."""
    path, _, line = place.rpartition(":")
    if "." in path.rpartition("/")[2] and line.isdigit() and " " not in path and "(" not in path:
        region = {"startLine": max(int(line), 1)}
        return {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": region}}
    name = one_line(place)
    return {"logicalLocations": [{"name": name, "fullyQualifiedName": f"{one_line(session)}/{name}", "kind": "member"}]}
