"""`mmverify conform` and `review --target` as their users meet them: verdicts, reports, regression tests, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmverify.cli import main

RIGHT = """
from decimal import Decimal

CONVENTIONS = {"mid_min_qty": "0"}


def _sound(value, least):
    if not isinstance(value, Decimal) or not value.is_finite() or value < least:
        raise ValueError(value)


def vwap(prices, qtys):
    if len(prices) != len(qtys):
        raise ValueError("lengths")
    for price, qty in zip(prices, qtys):
        _sound(price, 0)
        _sound(qty, 0)
        if price == 0:
            raise ValueError("price")
    total = sum(qtys)
    if total == 0:
        return None
    with localcontext(prec=80):
        found = sum(price * qty for price, qty in zip(prices, qtys)) / total
    return found


def exposure(position, open_orders):
    _sound(abs(position), 0)
    longest, shortest = position, position
    with localcontext(prec=80):
        for side, leaves_qty in open_orders:
            _sound(leaves_qty, 0)
            if side == "buy":
                longest += leaves_qty
            elif side == "sell":
                shortest -= leaves_qty
            else:
                raise ValueError(side)
    return longest, shortest
""".replace("import Decimal", "import Decimal, localcontext")
WRONG = RIGHT.replace("price * qty for price, qty in zip(prices, qtys)) / total", "prices) / len(prices)")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    return tmp_path


def assessment(folder: Path) -> Any:
    return json.loads((folder / "assessment.json").read_text(encoding="utf-8"))


def test_a_right_target_is_ready_on_what_its_names_serve(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "right.py", "--out", "report"]) == 0
    found = assessment(here / "report")
    assert found["status"] == "READY" and found["findings"] == [] and found["session"] == "right.py"
    statuses = {item["id"]: item["status"] for item in found["items"]}
    assert statuses == dict.fromkeys(["1.4.3", "3.2.2", "3.2.3", "3.3.1", "5.1.1", "5.1.2", "5.1.3"], "verified")
    assert all(check["evidence"] == "target" for item in found["items"] for check in item["checks"])
    text = (here / "report/assessment.md").read_text(encoding="utf-8")
    first = "Focus: vwap, exposure. Only 7 of the 96 items were reviewed; the status is theirs alone."
    assert text.startswith(first)
    assert "1.4.3 is verified on the target alone: the function is right, its wiring unseen" in text
    assert "READY (focus: vwap, exposure): 7 of 7 items verified" in capsys.readouterr().out
    assert "TA-Lib" in (here / "report/matrix.html").read_text(encoding="utf-8")


def run_tests(folder: Path, report: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(report / "tests")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_wrong_target_fails_with_a_test_that_its_fix_passes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "wrong.py", "--focus", "vwap"]) == 1
    out = capsys.readouterr().out
    assert "vwap([1, 2], [0, 1]) was 1.5, should be 2" in out
    assert "cause: prices were averaged without their quantities" in out
    found = assessment(here / "reports/latest")
    finding = next(each for each in found["findings"] if each["item"] == "3.3.1")
    assert finding["location"] == "vwap([1, 2], [0, 1])"
    assert finding["impact"]["amount"] == 15000 and finding["impact"]["currency"] == "USDT"
    assert {each["item"] for each in found["findings"]} == {"3.3.1"}
    red = run_tests(here, here / "reports/latest")
    assert red.returncode == 1 and "was 1.5, should be 2" in red.stdout
    (here / "wrong.py").write_text(RIGHT, encoding="utf-8")
    green = run_tests(here, here / "reports/latest")
    assert green.returncode == 0 and "1 passed" in green.stdout


def test_a_name_that_is_asked_for_and_not_exposed_is_not_assessed(here: Path) -> None:
    assert main(["conform", "right.py", "--focus", "vwap", "--focus", "notional", "--out", "report"]) == 1
    (item,) = (each for each in assessment(here / "report")["items"] if each["id"] == "5.1.4")
    assert item["status"] == "not_assessed" and item["reason"] == "the target exposes no notional"


def test_same_seed_same_assessment(here: Path) -> None:
    kept = []
    for name in ("a", "b"):
        main(["conform", "wrong.py", "--seed", "3", "--out", name])
        found = assessment(here / name)
        del found["times"]
        kept.append(found)
    assert kept[0] == kept[1]


REFUSED = {
    "no such module": (["conform", "absent"], "absent: cannot be imported (ModuleNotFoundError"),
    "no such file": (["conform", "absent.py"], "absent.py: cannot be imported (ImportError: no file"),
    "nothing exposed": (["conform", "json"], "json: exposes none of mid, microprice"),
    "no such name": (["conform", "right.py", "--focus", "vwop"], "--focus vwop: no name of the contract"),
    "an item is no name": (["conform", "right.py", "--focus", "3.3.1"], "--focus 3.3.1: no name of the contract"),
    "no time": (["conform", "right.py", "--budget", "0"], "--budget 0: should be above 0"),
    "nothing to review": (["review"], "nothing to review; should be given a session, --target or --source"),
    "no target for the focus": (["review", "--target", "right.py", "--focus", "2.4.1"], "exposes none of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = REFUSED[name]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1
    assert not (here / "reports").exists()


def test_a_review_of_a_session_and_a_target_joins_both(here: Path, root: Path) -> None:
    sample = str(root / "data/sessions/sample")
    asked = ["review", sample, "--focus", "3.3.1", "--focus", "1.4.3", "--no-notebooks"]
    assert main([*asked, "--target", "right.py", "--out", "right"]) == 0
    volume, limits = assessment(here / "right")["items"][1], assessment(here / "right")["items"][0]
    evidence = {check["evidence"]: check["exercised"] for check in volume["checks"]}
    assert set(evidence) == {"session", "target"} and all(evidence.values())
    assert volume["exercised"] == sum(evidence.values())
    assert limits["id"] == "1.4.3" and limits["status"] == "verified"
    assert main([*asked, "--target", "wrong.py", "--out", "wrong"]) == 1
    found = assessment(here / "wrong")
    assert found["session"] == "sample + wrong.py"
    assert {(each["item"], each["session"]) for each in found["findings"]} == {("3.3.1", "wrong.py")}


@pytest.mark.notebook
def test_the_pages_of_a_review_with_a_target_show_its_assessment(here: Path, root: Path) -> None:
    sample = str(root / "data/sessions/sample")
    assert main(["review", sample, "--focus", "3.3", "--target", "wrong.py", "--out", "report"]) == 1
    page = (here / "report/notebooks/s0_readiness.html").read_text(encoding="utf-8")
    assert "vwap([1, 2], [0, 1]) was 1.5" in page
    assert assessment(here / "report")["errors"] == []
