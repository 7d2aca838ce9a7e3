"""Targets that cannot be used, that hang, that lack names, and what their declarations change."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmverify.conformance import target as loading
from mmverify.conformance.run import conform
from mmverify.errors import UsageError

ENV = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
VWAP = """
def vwap(prices, qtys):
    if len(prices) != len(qtys) or not all(n == n for n in [*prices, *qtys]):
        raise {0}
    if not sum(qtys) or min(prices) <= 0 or min(qtys) < 0:
        raise {0}
    return sum(p * q for p, q in zip(prices, qtys)) / sum(qtys)
"""
ENDLESS = """
def vwap(prices, qtys):
    while True:
        try:
            pass
        except Exception:
            pass
"""
SIMPLE = """
def returns(prices, kind='simple'):
    if kind != 'simple' or any(p != p or p <= 0 for p in prices):
        raise ValueError
    return [b / a - 1 for a, b in zip(prices, prices[1:])]
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
    assert {result.check.name for result in conform(write(VWAP.format("ValueError")))} == {"target_vwap"}
    assert conform(write("x = 1")) == []


def test_a_call_that_hangs_ends_in_one_finding(write, monkeypatch) -> None:
    monkeypatch.setattr(loading, "CALL_SECONDS", 0.3)
    started = time.monotonic()
    results = conform(write(ENDLESS))
    assert time.monotonic() - started < 10
    failed = {result.item: result.looked for result in results if result.looked.breaches}
    assert set(failed) == {"3.3.1"}
    assert "no answer within 0.3 s" in failed["3.3.1"].breaches[0].was
    assert failed["3.3.1"].notes == ("vwap hangs; no further case was tried",)


@pytest.mark.parametrize(
    ("errors", "raised", "failed"),
    [("", "ValueError", set()), ("", "KeyError", {"5.1.3"}), ("ERRORS = (KeyError,)\n", "KeyError", set()),
     ("ERRORS = (KeyError,)\n", "ValueError", {"5.1.3"})],
)  # fmt: skip
def test_the_declared_error_is_the_one_that_counts(write, errors: str, raised: str, failed: set[str]) -> None:
    results = conform(write(errors + VWAP.format(raised)))
    assert {result.item for result in results if result.looked.breaches} == failed


def test_a_declared_convention_is_the_only_one_tried(write) -> None:
    heads = ("", "CONVENTIONS = {'volatility': 'simple'}")
    failed = [{r.item for r in conform(write(head + SIMPLE)) if r.looked.breaches} for head in heads]
    assert failed == [{"3.3.3"}, set()]


def test_what_a_target_prints_warns_and_sets_stays_inside(write, capfd) -> None:
    assert not any(result.looked.breaches for result in conform(write(NOISE)))
    assert capfd.readouterr() == ("", "")
    import decimal

    assert decimal.getcontext().prec == 28


def test_a_budget_that_ends_says_so(write) -> None:
    results = conform(write(VWAP.format("ValueError")), budget=0.05)
    assert "vwap: the budget ended after" in results[0].looked.notes[-1]


PYTEST = """
from mmverify.conformance.pytest_form import parametrize

@parametrize({target!r}, expected_failures={expected!r})
def test_conformance(check):
    check()
"""


@pytest.mark.parametrize(
    ("expected", "passed", "failed", "xfailed"),
    [({}, 3, 1, 0), ({"3.3.1-vwap": "known"}, 3, 0, 1), ({"3.3.1-vwap": "known", "5.1.1-vwap": "wrong"}, 2, 1, 1)],
)
def test_the_pytest_form(tmp_path: Path, expected: dict[str, str], passed: int, failed: int, xfailed: int) -> None:
    target = f"{Path(__file__).with_name('targets') / 'slips.py'}:vwap_mean"
    (tmp_path / "test_it.py").write_text(PYTEST.format(target=target, expected=expected), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        env=ENV,
        text=True,
        timeout=120,
    )
    last = done.stdout.splitlines()[-1]
    for count, word in ((passed, "passed"), (failed, "failed"), (xfailed, "xfailed")):
        assert (f"{count} {word}" in last) is bool(count), done.stdout


def test_an_expected_failure_that_is_no_check_is_refused() -> None:
    from mmverify.conformance.pytest_form import parametrize

    with pytest.raises(UsageError, match=r"expected failure '9\.9\.9-vwap' is no check"):
        parametrize(f"{Path(__file__).with_name('targets') / 'slips.py'}:vwap_mean", {"9.9.9-vwap": "none"})
