"""junit.xml: a suite a section, a case an item, for CI."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from mmverify.checks import sections
from mmverify.report.outline import one_line, visible
from mmverify.review.results import Assessment, Finding, ItemResult


def render(assessment: Assessment) -> str:
    """Return junit.xml: a failure for each finding, skipped for what was not assessed, an error for what crashed."""
    root = ET.Element("testsuites", name="mmverify")
    if assessment.errors:
        case = ET.SubElement(_suite(root, "review"), "testcase", classname="mmverify", name="The review ran to its end")
        for error in assessment.errors:
            ET.SubElement(case, "error", message=one_line(error))
    findings = {finding.id: finding for finding in assessment.findings}
    results = {item.id: item for item in assessment.items}
    for section in sections():
        chosen = [results[item.id] for item in section.items if item.id in results]
        if chosen:
            suite = _suite(root, f"{section.id} {section.title}")
            for item in chosen:
                _case(suite, section.id, item, [findings[id] for id in item.findings])
    for each in [*root, root]:
        each.set("tests", str(len(list(each.iter("testcase")))))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            each.set(name, str(sum(case.find(tag) is not None for case in each.iter("testcase"))))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=name)


def _case(suite: ET.Element, section: str, item: ItemResult, findings: list[Finding]) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"mmverify.{section}", name=f"{item.id} {one_line(item.text)}")
    for finding in findings:
        waived = "waived: " if finding.waived else ""
        words = f"{waived}{finding.title}, at {finding.location}"
        failure = ET.SubElement(case, "failure", type=finding.severity, message=one_line(words))
        failure.text = visible("\n".join([
            *([f"follows from {finding.follows}, {finding.link}", ""] if finding.follows else []),
            finding.description, "", finding.current, finding.correct, "",
            finding.impact.text, finding.fix, finding.test,
        ]))  # fmt: skip
    if any(check.status == "error" for check in item.checks):
        ET.SubElement(case, "error", message=one_line(item.reason))
    elif item.status in ("not_assessed", "not_applicable"):
        ET.SubElement(case, "skipped", message=one_line(item.reason))
    elif not findings:
        ET.SubElement(case, "system-out").text = visible(item.reason)
