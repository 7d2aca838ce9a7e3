"""Targets that cannot be used, that hang, that lack names, and what their declarations change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmverify.conformance import target as loading
from mmverify.conformance.pytest_form import parametrize
from mmverify.conformance.run import conform
from mmverify.errors import UsageError

ROOT = Path(__file__).parents[2]
ENV = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
TURNED = "conformance.targets.wrong:TARGETS.duration_turned"
VWAP = """
def vwap(prices, qtys):
    if len(prices) != len(qtys) or not all(n == n for n in [*prices, *qtys]):
        raise {0}
    if not sum(qtys) or min(prices) <= 0 or min(qtys) < 0:
        raise {0}
    return sum(p * q for p, q in zip(prices, qtys)) / sum(qtys)
"""
ENDLESS = """
calls = 0
def vwap(prices, qtys):
    global calls
    calls += 1
    while True:
        try:
            pass
        except Exception:
            pass
"""
NOISE = """
import decimal, sys, warnings
decimal.getcontext().prec = 9
print('import')
def duration(a, b):
    print('call')
    sys.stderr.write('call')
    warnings.warn('call')
    if b < a:
        raise ValueError
    return b - a
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "adapter.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("raise SystemExit(3)", "cannot be imported (SystemExit: 3)"),
        ("def vwap(:", "cannot be imported (SyntaxError"),
        ("import no_such_module", "cannot be imported (ModuleNotFoundError: No module named 'no_such_module')"),
        ("NUMBER = int", "NUMBER is <class 'int'>; should be decimal.Decimal or float"),
        ("ERRORS = ('ValueError',)", "ERRORS is ('ValueError',); should be a tuple of exceptions"),
        ("CONVENTIONS = {'cost_base': 'fifo'}", "CONVENTIONS['cost_base'] is unknown"),
        (
            "CONVENTIONS = {'cost_basis': 'hifo'}",
            "CONVENTIONS['cost_basis'] is 'hifo'; should be one of fifo, lifo, average",
        ),
        ("CONVENTIONS = 'fifo'", "CONVENTIONS is 'fifo'; should be a dict"),
        ("vwap = 5", "vwap is 5; should be callable"),
    ],
)
def test_an_unusable_target_is_refused_in_one_line(write, text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        conform(write(text))
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("target", ["no_such_module", "json:NOTHING", "no/such/file.py"])
def test_a_target_that_is_not_there_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        conform(target)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="vwop: no name of the contract"):
        conform("json", names=["vwop"])


def test_an_import_that_hangs_is_refused(write, monkeypatch) -> None:
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 0.3)
    with pytest.raises(UsageError, match=r"import did not end within 0\.3 s"):
        conform(write("while True:\n    pass"))


def test_what_is_not_exposed_is_not_assessed(write) -> None:
    assert {result.check.name for result in conform(write(VWAP.format("ValueError")), budget=1)} == {"target_vwap"}
    assert conform(write("x = 1")) == []


def test_a_call_that_hangs_ends_in_one_finding(write, monkeypatch) -> None:
    monkeypatch.setattr(loading, "CALL_SECONDS", 0.3)
    results = conform(write(ENDLESS))
    assert sys.modules["target_adapter"].calls == 1
    failed = {result.item: result.looked for result in results if result.looked.breaches}
    assert set(failed) == {"3.3.1"}
    assert "no answer within 0.3 s" in failed["3.3.1"].breaches[0].was
    assert failed["3.3.1"].notes == ("vwap hangs; no further case was tried",)


def test_a_series_that_hangs_is_seen_where_it_is_looked_at_for_look_ahead(write, monkeypatch) -> None:
    monkeypatch.setattr(loading, "CALL_SECONDS", 0.3)
    results = conform(write("def drawdown(equity):\n    while True:\n        pass"), budget=300)
    failed = {result.item: result.looked.notes for result in results if result.looked.breaches}
    assert failed == {"1.4.1": ("drawdown hangs; no further case was tried",)}


@pytest.mark.parametrize(
    ("errors", "raised", "failed"),
    [("", "ValueError", set()), ("", "KeyError", {"5.1.3"}), ("ERRORS = (KeyError,)\n", "KeyError", set()),
     ("ERRORS = (KeyError,)\n", "ValueError", {"5.1.3"})],
)  # fmt: skip
def test_the_declared_error_is_the_one_that_counts(write, errors: str, raised: str, failed: set[str]) -> None:
    results = conform(write(errors + VWAP.format(raised)))
    assert {result.item for result in results if result.looked.breaches} == failed


def test_what_a_target_prints_warns_and_sets_stays_inside(write, capfd) -> None:
    assert not any(result.looked.breaches for result in conform(write(NOISE)))
    assert capfd.readouterr() == ("", "")
    import decimal

    assert decimal.getcontext().prec == 28


PYTEST = """
from mmverify.conformance.pytest_form import parametrize

@parametrize({target!r}, expected_failures={expected!r})
def test_conformance(check):
    check()
"""


def test_the_pytest_form(tmp_path: Path) -> None:
    expected = {"4.1.4-duration": "known", "5.1.1-duration": "not so"}  # the second passes, which fails the run
    (tmp_path / "test_it.py").write_text(PYTEST.format(target=TURNED, expected=expected), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "test_it.py"],
        cwd=tmp_path, capture_output=True, env=ENV, text=True, timeout=120,
    )  # fmt: skip
    assert "1 failed, 1 passed, 1 xfailed" in done.stdout.splitlines()[-1], done.stdout


def test_the_pytest_form_says_what_was_wrong(tmp_path: Path) -> None:
    check = parametrize(TURNED, budget=300).mark.args[1][0]
    assert check.id == "4.1.4-duration"
    with pytest.raises(pytest.fail.Exception, match=r"duration\(0, -1\) was 1, should be no number"):
        check.values[0]()


def test_an_expected_failure_that_is_no_check_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected failure '9\.9\.9-duration' is no check"):
        parametrize(TURNED, {"9.9.9-duration": "none"})
