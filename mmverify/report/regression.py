"""tests/: a pytest file for each finding, red on the evidence or target as it is, green once it is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmverify.report.outline import one_line
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

_SOURCE_HEAD = '''\
"""A finding of mmverify as a regression test: red on the source tree as it is, green once it is right.

To run it on another copy of the tree, set the environment variable MMVERIFY_SOURCE to its folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmverify.review.engine import review
from mmverify.source.evidence import open_source


def look_again(*, source: str, item: str, check: str, key: str, finding: str) -> None:
    tree = open_source(Path(os.environ.get("MMVERIFY_SOURCE", source)))
    assessment = review([], source=tree, focus=[item])
    if assessment.errors:
        pytest.fail("\\n".join(["the check itself failed:", *assessment.errors]), pytrace=False)
    if any((each.check, each.key) == (check, key) for each in assessment.findings):
        pytest.fail(finding, pytrace=False)
'''

_TARGET_HEAD = '''\
"""A finding of mmverify as a regression test: red on the target as it is, green once it is right."""

from __future__ import annotations

from decimal import Decimal

from mmverify.conformance.run import again
'''

_TARGET_TEST = """

def test_{name}() -> None:
    # {lines}
    {code}
"""

_TEST = """

def test_{name}() -> None:
    look_again(
        {kind}={folder!r},
        item={item!r},
        check={check!r},
        key={key!r},
        finding="\\n".join([
            {lines}
        ]),
    )  # fmt: skip
"""


def render(assessment: Assessment, folders: Mapping[str, Path], trees: Mapping[str, Path]) -> dict[str, str]:
    """Return the regression tests of an assessment.

    Parameters
    ----------
    assessment : Assessment
        Whose findings they hold; findings that name the same file share it.
    folders : mapping of str to Path
        The folder of each session by its name; a target's findings carry their own code.
    trees : mapping of str to Path
        The folder of the source tree by its name.

    Returns
    -------
    dict of str to str
        Path inside the report, as `Finding.test` gives it, and the text of the file.
    """
    files: dict[str, str] = {}
    for finding in assessment.findings:
        kind = "source" if finding.session in trees and not finding.code else "session"
        head = _TARGET_HEAD if finding.code else _SOURCE_HEAD if kind == "source" else _HEAD
        text = files.get(finding.test, head)
        again = text.count(f"def test_{finding.check}")
        name = f"{finding.check}_{again + 1}" if again else finding.check
        files[finding.test] = text + (
            _target_test(finding, name)
            if finding.code
            else _session_test(finding, name, kind, (trees if kind == "source" else folders)[finding.session].resolve())
        )
    return files


def _target_test(finding: Finding, name: str) -> str:
    return _TARGET_TEST.format(name=name, lines="\n    # ".join(map(one_line, _words(finding))), code=finding.code)


def _session_test(finding: Finding, name: str, kind: str, folder: Path) -> str:
    return _TEST.format(
        name=name, kind=kind, folder=str(folder), item=finding.item, check=finding.check, key=finding.key,
        lines="\n            ".join(f"{line!r}," for line in _words(finding)),
    )  # fmt: skip


def _words(finding: Finding) -> list[str]:
    return [
        f"[{finding.severity}] {finding.title}",
        f"{finding.id}, first at {finding.location}",
        finding.current,
        *finding.correct.split("\n"),
        f"impact: {finding.impact.text}",
        f"fix: {finding.fix}",
    ]
