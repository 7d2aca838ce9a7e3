"""tests/: a pytest file for each finding, red on the evidence as it is, green once it is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmverify.review.results import Assessment, Finding

_HEAD = '''\
"""A finding of mmverify as a regression test: red on the evidence as it is, green once it is right.

To run it on a session recorded after the fix, set the environment variable MMVERIFY_SESSION to that session's folder.
"""

from __future__ import annotations

import os

import pytest

from mmverify.review.engine import review
from mmverify.session import open_session


def look_again(*, session: str, item: str, check: str, key: str, finding: str) -> None:
    folder = os.environ.get("MMVERIFY_SESSION", session)
    assessment = review([open_session(folder)], focus=[item])
    seen = next(each for each in assessment.items[0].checks if each.name == check)
    if seen.status == "error":
        pytest.fail("\\n".join(["the check itself failed:", *assessment.errors]), pytrace=False)
    if not seen.exercised:
        pytest.fail(f"nothing exercised it: no record of {folder} could have shown this finding", pytrace=False)
    if any((each.check, each.key) == (check, key) for each in assessment.findings):
        pytest.fail(finding, pytrace=False)
'''

_TEST = """

def test_{name}() -> None:
    look_again(
        session={session!r},
        item={item!r},
        check={check!r},
        key={key!r},
        finding="\\n".join([
            {lines}
        ]),
    )  # fmt: skip
"""


def render(assessment: Assessment, folders: Mapping[str, Path]) -> dict[str, str]:
    """Return the regression tests of an assessment.

    Parameters
    ----------
    assessment : Assessment
        Whose findings they hold; findings that name the same file share it.
    folders : mapping of str to Path
        The folder of each session by its name.

    Returns
    -------
    dict of str to str
        Path inside the report, as `Finding.test` gives it, and the text of the file.
    """
    files: dict[str, str] = {}
    for finding in assessment.findings:
        text = files.get(finding.test, _HEAD)
        again = text.count(f"def test_{finding.check}")
        name = f"{finding.check}_{again + 1}" if again else finding.check
        files[finding.test] = text + _test(finding, name, folders[finding.session].resolve())
    return files


def _test(finding: Finding, name: str, folder: Path) -> str:
    lines = [
        f"[{finding.severity}] {finding.title}",
        f"{finding.id}, first at {finding.location}",
        finding.current,
        *finding.correct.split("\n"),
        f"impact: {finding.impact.text}",
        f"fix: {finding.fix}",
    ]
    return _TEST.format(
        name=name, session=str(folder), item=finding.item, check=finding.check, key=finding.key,
        lines="\n            ".join(f"{line!r}," for line in lines),
    )  # fmt: skip
