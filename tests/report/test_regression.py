"""tests/: red on the evidence as it is, green once it is right, readable in between."""

from __future__ import annotations

import ast
import csv
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mmverify.checks import s1_3_pnl
from mmverify.report import regression
from mmverify.review.engine import review
from mmverify.session import open_session


@pytest.fixture(scope="module")
def cut(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the balances of the sample session, and what converts them."""
    folder = tmp_path_factory.mktemp("right") / "cut"
    folder.mkdir()
    for name in ("session.toml", "instruments.csv", "balances.csv", "rates.csv"):
        shutil.copy(root / "data/sessions/sample" / name, folder)
    return folder


@pytest.fixture(scope="module")
def wrong(cut: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the same session with 10 USDT added to one value of a balance."""
    folder = tmp_path_factory.mktemp("wrong") / "cut"
    shutil.copytree(cut, folder)
    with open(folder / "balances.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = next(row for row in rows if row["asset"] == "ETH" and row["value"])
    row["value"] = str(Decimal(row["value"]) + 10)
    with open(folder / "balances.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def generated(wrong: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the regression test of the one finding on the wrong session."""
    assessment = review([open_session(wrong)], focus=["1.3.5"])
    (finding,) = assessment.findings
    files = regression.render(assessment, {"cut": wrong}, {})
    assert list(files) == [finding.test] == ["tests/test_1_3_5_balance_value_ETH.py"]
    path = tmp_path_factory.mktemp("report") / "test_1_3_5_balance_value_ETH.py"
    path.write_text(files[finding.test], encoding="utf-8")
    return path


def run(path: Path, session: Path | None = None) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MMVERIFY_", "PYTEST_"))}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    environment |= {"MMVERIFY_SESSION": str(session)} if session else {}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", path.name],
        cwd=path.parent, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_red_on_the_evidence_as_it_is(generated):
    status, output = run(generated)
    assert status == 1, output
    assert "[CRITICAL] A balance is not worth what is claimed (ETH)" in output
    off = re.search(r"it is off by ([\d.]+)", output)
    assert off and float(off[1]) == pytest.approx(10, abs=1e-8)  # half a unit of the claim's last digit
    assert "Traceback" not in output


def test_green_once_it_is_right(generated, cut):
    status, output = run(generated, cut)
    assert status == 0 and "1 passed" in output, output


def test_red_where_nothing_exercises_it(generated, cut, tmp_path):
    shutil.copy(cut / "session.toml", tmp_path)
    status, output = run(generated, tmp_path)
    assert status == 1 and "nothing exercised it" in output, output


def test_red_where_the_check_itself_fails(generated, monkeypatch):
    def crash(session: object) -> None:
        raise KeyError("ETH")

    monkeypatch.delenv("MMVERIFY_SESSION", raising=False)
    monkeypatch.setattr(s1_3_pnl, "balance_value", crash)
    with pytest.raises(
        pytest.fail.Exception, match=r"the check itself failed:\n1\.3\.5 balance_value on cut: KeyError: 'ETH'"
    ):
        runpy.run_path(str(generated))["test_balance_value"]()


def test_hostile_text_is_quoted(assessed, finding, evil, tmp_path):
    folder = tmp_path / "a \"quoted\" 'day'"
    (text,) = regression.render(assessed(evil), {"day": folder}, {}).values()
    tree = ast.parse(text)
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == [
        "look_again",
        "test_unrealized_pnl",
    ]
    stated = {key.arg: ast.literal_eval(key.value) for call in ast.walk(tree) if isinstance(call, ast.Call)
              for key in call.keywords if key.arg in ("session", "key")}  # fmt: skip
    assert stated == {"session": str(folder), "key": evil.key}


def test_findings_of_one_file_name_are_two_tests(assessed, finding):
    other = replace(finding, key="BTC/USDT", id="1.3.1:realized_pnl:BTC/USDT")
    (text,) = regression.render(assessed(finding, other), {"day": Path("day")}, {}).values()
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert names == ["look_again", "test_realized_pnl", "test_realized_pnl_2"]
    assert "key='BTC-USDT'" in text and "key='BTC/USDT'" in text


def test_each_session_has_its_own_folder(assessed, finding):
    drill = replace(finding, session="drill", test="tests/test_drill.py")
    files = regression.render(assessed(finding, drill), {"day": Path("/a/day"), "drill": Path("/b/drill")}, {})
    assert "session='/a/day'" in files[finding.test] and "session='/b/drill'" in files[drill.test]
