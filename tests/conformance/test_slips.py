"""One slip a target: the item of the slip fails, and nothing else does."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmverify.conformance.run import again, conform

PATH = Path(__file__).with_name("targets") / "slips.py"
_spec = importlib.util.spec_from_file_location("slips", PATH)
assert _spec and _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
WRONG: dict[str, tuple[str, str]] = _module.WRONG

ENV = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
CAUSES = {
    "microprice_own_weights": "each price was weighted with its own quantity, where it is the other side's",
    "round_price_half_even": "both sides were rounded to the nearest tick, a half to the even one",
    "vwap_alike_once": "trades alike were counted once",
    "vwap_mean": "prices were averaged without their quantities",
    "ema_wilder": "alpha = 1 / span (Wilder) was used",
    "volatility_ddof": "ddof 0 was used",
    "volatility_252": "a year of 252 periods was used",
    "realized_fifo": "FIFO was used",
    "funding_sign": "the sign was turned",
    "liquidation_no_maintenance": "the maintenance margin was left out",
    "window_trunc": "times before 1970 were cut towards 0",
}


@pytest.mark.parametrize("id", WRONG)
def test_a_mistake_fails_its_item_and_nothing_else(id: str) -> None:
    name, item = WRONG[id]
    target = f"{PATH}:{id}"
    results = conform(target, names=[name], budget=60)
    failed = {result.item: result for result in results if result.looked.breaches}
    assert set(failed) == {item}
    (breach,) = failed[item].looked.breaches
    assert breach.was.startswith(f"{breach.where[0]} was ") and breach.should
    assert breach.cause == CAUSES.get(id, breach.cause)
    assert f"{name!r}, {item!r}" in failed[item].test


@pytest.mark.parametrize(
    ("id", "call", "was", "should"),
    [
        ("vwap_mean", "vwap([1, 2], [0, 1])", "1.5", "2"),
        ("duration_negative", "duration(0, -1)", "-1", "ValueError or ArithmeticError or None"),
        ("window_trunc", "window_of(-1, 2)", "0", "-2"),
        ("breaker_above", "Breaker(0.1, 0); update(0, 0.1)", "tripped False", "tripped True"),
        ("signs_zero_tick", "trade_signs([1, 2, 2])", "[0, 1, 0]", "[0, 1, 1]"),
    ],
)
def test_a_failure_is_shrunk_to_its_smallest_case(id: str, call: str, was: str, should: str) -> None:
    name, item = WRONG[id]
    result = next(result for result in conform(f"{PATH}:{id}", names=[name]) if result.item == item)
    (breach,) = result.looked.breaches
    assert breach.where == (call,)
    assert breach.was == f"{call} was {was}"
    assert breach.should.startswith(should)


def test_money_is_that_of_an_order_of_60000_usdt() -> None:
    result = conform(f"{PATH}:vwap_mean", names=["vwap"])[0]
    (breach,) = result.looked.breaches  # 1.5 in place of 2 is a quarter off
    assert (breach.amount, breach.currency) == (15000, "USDT")
    assert breach.work == ("(1 x 0 + 2 x 1) / (0 + 1) = 2",)


def test_the_same_seed_gives_the_same_findings() -> None:
    runs = [conform(f"{PATH}:realized_fifo", names=["realized_pnl"], seed=seed) for seed in (5, 5)]
    assert runs[0] == runs[1]


def test_a_regression_test_is_red_on_the_wrong_target_and_green_on_the_right_one(tmp_path: Path) -> None:
    target, right = f"{PATH}:vwap_mean", str(PATH.with_name("exact.py"))
    code = conform(target, names=["vwap"])[0].test
    body = "from decimal import Decimal\nfrom mmverify.conformance.run import again\n\ndef test_it():\n    "
    for text, passes in ((code, False), (code.replace(target, right), True)):
        path = tmp_path / "test_finding.py"
        path.write_text(body + text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", path], cwd=tmp_path, capture_output=True, env=ENV, timeout=120
        )
        assert (done.returncode == 0) is passes, done.stdout


def test_again_says_what_is_still_wrong() -> None:
    case = {"equity": [0, 1], "cut": 0}
    assert "drawdown([0, 1]) was 1 at 0" in again(f"{PATH}:drawdown_global", "drawdown", "3.3.4", case)
    assert not again(str(PATH.with_name("exact.py")), "drawdown", "3.3.4", case)
