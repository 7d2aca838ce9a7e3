"""The convention of a bot read off its outputs: each output below is worked by hand or from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmverify.cli import main
from mmverify.errors import UsageError
from mmverify.fingerprint import Case, fingerprint

LOTS = [("buy", "100", "1"), ("buy", "120", "1"), ("sell", "130", "1")]


@pytest.mark.parametrize(
    ("name", "inputs", "output", "convention"),
    [
        # span 3: alpha 1/2; 100 -> 102 -> 101.5 from the first; Wilder's third: 100 -> 101.33.. -> 101.22..
        ("ema", {"values": ["100", "104", "101"], "span": 3}, ["100.000", "102.000", "101.500"], {"ema_init": "first"}),
        ("ema", {"values": ["100", "104", "101"], "span": 3}, [None, None, "101.67"], {"ema_init": "sma"}),
        # adjusted: (104 + 100/2) / (1 + 1/2) = 102.66..; (101 + 104/2 + 100/4) / (1 + 1/2 + 1/4) = 101.714..
        (
            "ema",
            {"values": ["100", "104", "101"], "span": 3},
            ["100.000", "102.667", "101.714"],
            {"ema_init": "adjusted"},
        ),
        ("ema", {"values": ["100", "104", "101"], "span": 3}, ["100.000", "101.333", "101.222"], {"alpha": "1 / span"}),
        ("returns", {"prices": ["100", "125"]}, ["0.25"], {"volatility": "simple"}),
        ("returns", {"prices": ["100", "125"]}, ["0.22314355"], {"volatility": "log"}),  # ln 1.25
        # the oldest lot: 130 - 100; the newest: 130 - 120; the mean: 130 - 110
        ("realized_pnl", {"fills": LOTS}, "30", {"cost_basis": "fifo", "kind": "linear"}),
        ("realized_pnl", {"fills": LOTS}, "10", {"cost_basis": "lifo", "kind": "linear"}),
        ("realized_pnl", {"fills": LOTS}, "20", {"cost_basis": "average", "kind": "linear"}),
        (
            "unrealized_pnl",
            {"qty": "2", "avg_px": "100", "mark": "110", "last": "111"},
            "22",
            {"unrealized_price": "last"},
        ),
        ("round_price", {"price": "100.07", "tick": "0.05"}, "100.10", {"rounding": "up"}),
        ("fee", {"price": "100", "qty": "2", "rate": "0.001"}, "0.002", {"fee_asset": "base"}),
        ("fee", {"price": "100", "qty": "2", "rate": "0.001", "third_price": "50"}, "0.004", {"fee_asset": "third"}),
    ],
)
def test_the_convention_that_reproduces_an_output_is_named(
    name: str, inputs: dict[str, Any], output: Any, convention: dict[str, str]
) -> None:
    found = fingerprint(name, [Case(inputs, output)])
    assert found and all(convention.items() <= each.items() for each in found)


def test_kind_ddof_and_year_of_a_volatility_are_told_apart() -> None:
    # the published figure of wickra 2.0.0, in percent: log returns, a sample, a 365-day year
    prices = [60000, 62000, 59000, 61500, 63000, 58500, 64000]
    assert fingerprint("volatility", [Case({"prices": prices}, 1.1686840708278885)]) == [
        {"volatility": "log", "ddof": "1", "year": "365 days"}
    ]


def test_cases_that_do_not_tell_conventions_apart_leave_several_and_more_cases_narrow_them() -> None:
    one_lot = Case({"fills": LOTS[:1] + LOTS[2:]}, "30")
    assert [each["cost_basis"] for each in fingerprint("realized_pnl", [one_lot])] == ["fifo", "lifo", "average"]
    assert [each["cost_basis"] for each in fingerprint("realized_pnl", [one_lot, Case({"fills": LOTS}, "20")])] == [
        "average"
    ]


def test_down_and_toward_zero_are_the_same_above_zero() -> None:
    found = fingerprint("round_price", [Case({"price": "100.09", "tick": "0.05"}, "100.05")])
    assert found == [{"rounding": "down"}, {"rounding": "toward zero"}]


def test_what_nothing_reproduces_is_said() -> None:
    assert fingerprint("realized_pnl", [Case({"fills": LOTS}, "31")]) == []


def test_unusable_names_and_no_cases_are_refused() -> None:
    with pytest.raises(UsageError, match="mid: has no conventions"):
        fingerprint("mid", [Case({}, "1")])
    with pytest.raises(UsageError, match="no cases"):
        fingerprint("ema", [])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"name": "realized_pnl", "cases": [{"inputs": {"fills": LOTS}, "output": "10"}]}))
    assert main(["fingerprint", str(path)]) == 0
    assert capsys.readouterr().out == "cost_basis: lifo, kind: linear\n"
    path.write_text("{}")
    assert main(["fingerprint", str(path)]) == 2
    assert "should be JSON with name and cases" in capsys.readouterr().err
