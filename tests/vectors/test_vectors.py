"""The vectors: well formed, as made, explained, right where a person can check, and judged by the stated rule."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mmverify import vectors
from mmverify.errors import UsageError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "vectors"
SCHEMA = json.loads((FOLDER / "schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json")) if path.stem != "schema"}
GROUPS = [(name, group) for name, data in FILES.items() for group in data["groups"]]
TESTS = {test["id"]: test for _, group in GROUPS for test in group["tests"]}
CONTRACT = {
    "mid",
    "microprice",
    "quote",
    "round_price",
    "round_qty",
    "vwap",
    "ema",
    "returns",
    "volatility",
    "realized_pnl",
    "unrealized_pnl",
    "notional",
    "fee",
    "funding",
    "convert",
    "drawdown",
    "trade_signs",
    "lee_ready",
    "exposure",
    "liquidation_price",
    "parse_ts",
    "duration",
    "window_of",
    "Position",
    "Order",
    "Book",
    "RateLimiter",
    "Breaker",
}


def leaves(value: Any) -> list[Any]:
    """List the numbers, words and nulls of an answer."""
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def first_choice(expected: Any) -> Any:
    """Take the first of every open answer."""
    if isinstance(expected, dict) and "either" in expected:
        return first_choice(expected["either"][0])
    if isinstance(expected, dict):
        return {key: first_choice(each) for key, each in expected.items()}
    return [first_choice(each) for each in expected] if isinstance(expected, list) else expected


RIGHT = {ident: first_choice(test["expected"]) for ident, test in TESTS.items()}


# --- form -------------------------------------------------------------------------------------------------------------


def test_there_is_a_file_for_every_name_of_the_contract_that_can_have_one():
    assert set(FILES) == set(vectors.names()) == CONTRACT
    assert all(data["formula"] == name for name, data in FILES.items())


@pytest.mark.parametrize("name", FILES)
def test_a_file_fits_the_schema(name: str):
    assert [error.message for error in VALIDATOR.iter_errors(FILES[name])] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["extra"], 1),
        (["version"], 2),
        (["formula"], "vwap2"),
        (["notes", "ZeroVolume", "link"], "x"),
        (["notes", "ZeroVolume", "bug_type"], "ODD"),
        (["groups", 0, "convention"], {}),
        (["groups", 0, "params", "span"], "3"),
        (["groups", 0, "source"], ""),
        (["groups", 0, "tests", 0, "note"], "x"),
        (["groups", 0, "tests", 0, "id"], "ema-001"),
        (["groups", 0, "tests", 0, "flags"], []),
        (["groups", 0, "tests", 0, "result"], "maybe"),
        (["groups", 0, "tests", 0, "inputs", "span"], "3"),
        (["groups", 0, "tests", 0, "inputs", "prices"], [100]),
        (["groups", 0, "tests", 0, "expected"], 101.4),
        (["groups", 0, "tests", 0, "expected"], "1e2"),
        (["groups", 0, "tests", 0, "expected"], ["101.4"]),
        (["groups", 0, "tests", 0, "result"], "invalid"),
        (["groups", 0, "tests", 0, "expected"], {"either": ["1"]}),
        (["groups", 0, "tests", 0, "scale"], 4),
    ],
)
def test_the_schema_refuses(path: list[Any], value: Any):
    data = copy.deepcopy(FILES["vwap"])
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(data))


@pytest.mark.parametrize(("name", "change"), [("Position", lambda call: call.pop("fee")), ("Order", lambda call: call.update(state="NEW")), ("Book", lambda call: call.update(seq="ten")), ("RateLimiter", lambda call: call.update(call="refuse")), ("Breaker", lambda call: call.update(call="update"))])
def test_the_schema_refuses_a_call(name: str, change: Any):
    data = copy.deepcopy(FILES[name])
    calls = next(c for g in data["groups"] for t in g["tests"] for c in t["inputs"]["calls"] if c["call"] != "update")
    change(calls)
    assert list(VALIDATOR.iter_errors(data))


def test_ids_are_unique_and_say_where_a_case_stands():
    assert len(TESTS) == sum(len(group["tests"]) for _, group in GROUPS)
    for name, data in FILES.items():
        for number, group in enumerate(data["groups"]):
            assert [test["id"] for test in group["tests"]] == [f"{name}-{100 * number + k:03d}" for k in range(1, len(group["tests"]) + 1)]


def test_a_case_is_a_line_and_all_of_it_is_small():
    lines = [line for path in FOLDER.glob("*.json") if path.stem != "schema" for line in path.read_text().splitlines()]
    assert sum(line.startswith('  {"id"') for line in lines) == len(TESTS)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000


def test_made_again_the_files_are_the_same_bytes():
    done = subprocess.run([sys.executable, str(Path(__file__).parent / "make.py"), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_generator_imports_nothing_of_mmverify():
    for path in Path(__file__).parent.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) +(\w+)", path.read_text(), flags=re.MULTILINE)
        assert path.name == "test_vectors.py" or "mmverify" not in imported, path.name


def test_there_are_enough_of_them_and_most_are_edges():
    *rows, total = vectors.figures()
    assert total.formula == "*" and [row.formula for row in rows] == vectors.names()
    assert total.cases == len(TESTS) == sum(row.cases for row in rows) >= 1500
    assert total.edges == sum(any(flag != "Worked" for flag in test["flags"]) for test in TESTS.values()) >= total.cases / 2
    assert total.acceptable == sum(test["result"] == "acceptable" for test in TESTS.values()) <= total.cases / 20
    assert total.invalid == sum(test["result"] == "invalid" for test in TESTS.values())
    assert total.flags == Counter(flag for test in TESTS.values() for flag in test["flags"])
    assert min(row.cases for row in rows) >= 40


def test_every_flag_is_explained_and_used_at_least_twice():
    for name, data in FILES.items():
        used = {flag for group in data["groups"] for test in group["tests"] for flag in test["flags"]}
        assert used == set(data["notes"]), name
    assert min(vectors.figures()[-1].flags.values()) >= 2


def test_an_open_answer_is_open_and_a_closed_one_is_not():
    for test in TESTS.values():
        assert ('"either"' in json.dumps(test["expected"])) == (test["result"] == "acceptable"), test["id"]


def test_every_group_says_where_its_answers_are_from():
    own = {"hand", "computed by tests/vectors/make.py in exact rational arithmetic"}
    sources = {group["source"] for _, group in GROUPS}
    assert own < sources and len(sources) > 40
    assert not [source for source in sources if "our code" in source or "mmverify" in source]


def test_a_refused_call_is_followed_by_a_state_that_shows_that_nothing_changed():
    for name in ("Position", "Order", "Book"):
        for test in (test for each, group in GROUPS if each == name for test in group["tests"] if test["result"] == "valid"):
            assert test["expected"] == [] or test["expected"][-1] != "error", test["id"]


def test_the_page_states_the_figures_that_are():
    page = (FOLDER / "README.md").read_text()
    assert f"{len(TESTS):,} cases in {len(FILES)} files" in page
    assert {re.match(r"\| (\w+)\(", line)[1] for line in page.splitlines() if re.match(r"\| \w+\(", line)} == set(FILES)
    case = next(test for test in TESTS.values() if test["id"] == "vwap-015")
    assert json.dumps({"id": case["id"], "comment": case["comment"], "flags": case["flags"]})[1:-1] in page


# --- answers checked by a person --------------------------------------------------------------------------------------

CHECKED = [
    ("mid", {"bids": [["100", "2"]], "asks": [["101", "3"]]}, "100.5"),
    ("mid", {"bids": [["100", "0.05"], ["99", "1"]], "asks": [["101", "2"], ["102", "2"]]}, "100"),
    ("microprice", {"bid": "100", "bid_qty": "1", "ask": "101", "ask_qty": "3"}, "100.25"),
    ("microprice", {"bid": "100", "bid_qty": "0", "ask": "101", "ask_qty": "0"}, None),
    ("quote", {"fair": "100.02", "half_spread": "0.55", "skew": "0", "tick": "0.1"}, ["99.4", "100.6"]),
    ("quote", {"fair": "100", "half_spread": "0.5", "skew": "-0.05", "tick": "0.1"}, ["99.4", "100.5"]),
    ("quote", {"fair": "100", "half_spread": "0", "skew": "0", "tick": "0.1"}, None),
    ("round_price", {"price": "0.3", "tick": "0.1", "side": "sell"}, "0.3"),
    ("round_price", {"price": "1495.2", "tick": "1", "side": "sell"}, "1496"),
    ("round_qty", {"qty": "0.29", "lot": "0.01"}, "0.29"),
    ("round_qty", {"qty": "3.5", "lot": "1"}, "3"),
    ("vwap", {"prices": ["100", "101", "103"], "qtys": ["2", "1", "2"]}, "101.4"),
    ("vwap", {"prices": ["100", "101"], "qtys": ["1", "2"]}, "302/3"),
    ("ema", {"values": ["100", "104", None, "101"]}, ["100", "102", "102", "101.5"]),
    ("ema", {"values": ["1", "2", "3", "5", "2"]}, [None, None, "2", "3.5", "2.75"]),
    ("returns", {"prices": ["100", "125", "100"]}, ["0.25", "-0.2"]),
    ("returns", {"prices": ["3", "4"]}, ["1/3"]),
    ("volatility", {"prices": ["100", "120", "132", "132"]}, "0.2"),
    ("volatility", {"prices": ["100", "110"]}, None),
    ("realized_pnl", {"fills": [["buy", "100", "2"], ["sell", "103", "3"], ["buy", "101", "1"]]}, "8"),
    ("realized_pnl", {"fills": [["buy", "1000", "500"], ["sell", "1500", "500"]]}, "1/6"),
    ("unrealized_pnl", {"qty": "-2", "avg_px": "101.5", "price": "100.25"}, "2.5"),
    ("unrealized_pnl", {"qty": "1000", "avg_px": "5000", "price": "8000"}, "0.075"),
    ("notional", {"price": "50000", "qty": "2500"}, "0.05"),
    ("notional", {"price": "50000", "qty": "50000"}, "2500000000"),
    ("fee", {"price": "100", "qty": "100", "rate": "-0.00025"}, "-2.5"),
    ("fee", {"price": "50000", "qty": "2500", "rate": "0.0004"}, "0.00002"),
    ("funding", {"qty": "1.5", "mark": "40000", "rate": "0.0001"}, "-6"),
    ("funding", {"qty": "-100000", "mark": "50000", "rate": "0.0001"}, "0.0002"),
    ("convert", {"amount": "30000", "asset": "USDT", "currency": "BTC", "rates": [["BTC", "USDT", "60000"]]}, "0.5"),
    ("convert", {"amount": "1", "asset": "BTC", "currency": "USDT", "rates": []}, None),
    ("drawdown", {"equity": ["100", "200", "160", "180", "200"]}, ["0", "0", "0.2", "0.1", "0"]),
    ("drawdown", {"equity": ["0", "10", "5"]}, [None, "0", "0.5"]),
    ("trade_signs", {"prices": ["100", "102", "101", "101", "102"]}, ["0", "1", "-1", "-1", "1"]),
    ("trade_signs", {"prices": ["100", "100", "100"]}, ["0", "0", "0"]),
    ("lee_ready", {"trade_prices": ["100"], "trade_ts": ["20"], "quote_ts": ["10", "20"], "bids": ["100", "98"], "asks": ["102", "99"]}, ["-1"]),
    ("lee_ready", {"trade_prices": ["101", "100"], "trade_ts": ["20", "30"], "quote_ts": ["10"], "bids": ["99"], "asks": ["101"]}, ["1", "-1"]),
    ("exposure", {"position": "2", "open_orders": [["buy", "3"], ["sell", "1"]]}, ["5", "1"]),
    ("exposure", {"position": "-5", "open_orders": [["buy", "2"], ["sell", "2"]]}, ["-3", "-7"]),
    ("liquidation_price", {"qty": "1", "avg_px": "20000", "margin": "400", "maintenance_rate": "0.005", "maintenance_amount": "0"}, "19700"),
    ("liquidation_price", {"qty": "1", "avg_px": "100", "margin": "150", "maintenance_rate": "0.2", "maintenance_amount": "0"}, None),
    ("parse_ts", {"text": "1970-01-01T00:00:00-03:30"}, "12600000000000"),
    ("parse_ts", {"text": "1700000000123"}, "1700000000123000000"),
    ("duration", {"start_ns": "1700000000123456789", "end_ns": "1700000000123456790"}, "1"),
    ("duration", {"start_ns": "1000000000", "end_ns": "0"}, None),
    ("window_of", {"ts_ns": "-1", "width_ns": "60000000000"}, "-60000000000"),
    ("window_of", {"ts_ns": "60000000000", "width_ns": "60000000000"}, "60000000000"),
    ("Breaker", {"calls": [{"call": "update", "ts_ns": "0", "value": "0.1"}]}, [{"tripped": True}]),
    ("Breaker", {"calls": [{"call": "update", "ts_ns": "0", "value": "NaN"}]}, [{"tripped": True}]),
    ("RateLimiter", {"calls": [{"call": "allow", "ts_ns": "0", "weight": "3"}, {"call": "allow", "ts_ns": "1000000000", "weight": "1"}]}, [True, True]),
    ("RateLimiter", {"calls": [{"call": "allow", "ts_ns": "0", "weight": "2"}, {"call": "allow", "ts_ns": "1", "weight": "2"}]}, [True, False]),
]


@pytest.mark.parametrize(("name", "inputs", "expected"), CHECKED)
def test_answer_by_hand(name: str, inputs: dict[str, Any], expected: Any):
    found = [test["expected"] for group in FILES[name]["groups"] for test in group["tests"] if test["inputs"] == inputs]
    assert found and expected in found


HISTORIES = [
    ("Position", "long 1 to short 2: the surplus opens at the fill's price, fifo", ["1 100 0 0", "-2 90 -10 0.3", "0 None 10 0.3"]),
    ("Position", "the mean is harmonic: 5625", ["1000 5000 0 0", "3000 5625 0 0", "0 None 0 0"]),
    ("Order", "filled in two parts", ["NEW 0 10 None", "PARTIALLY_FILLED 4 6 100", "FILLED 10 0 100.6"]),
    ("Order", "a fill that arrives after the cancel is booked and leaves CANCELED", ["NEW 0 10 None", "PENDING_CANCEL 0 10 None", "CANCELED 0 0 None", "CANCELED 4 0 100"]),
    ("Order", "cancel acknowledged, never asked for", ["NEW 0 10 None", "error", "NEW 0 10 None"]),
    ("Book", "a delta sets a quantity, it does not add to it", ["[['100', '1'], ['99', '2']] [['101', '3'], ['102', '4']] True", "[['100', '5'], ['99', '2']] [['101', '3'], ['102', '4']] True"]),
    ("Book", "a gap of many", ["[['100', '1'], ['99', '2']] [['101', '3'], ['102', '4']] True", "False"]),
]


@pytest.mark.parametrize(("name", "comment", "states"), HISTORIES)
def test_history_by_hand(name: str, comment: str, states: list[str]):
    (test,) = (test for group in FILES[name]["groups"] for test in group["tests"] if test["comment"] == comment)
    assert [state if state == "error" else " ".join(map(str, state.values())) for state in test["expected"]] == states


def test_logarithms_are_right_to_forty_digits():
    # ln 2 and ln 10, as in any table of constants.
    known = {"2": "0.6931471805599453094172321214581765680755", "10": "2.302585092994045684017991454684364207601"}
    for top, digits in known.items():
        prices = ["100", "200"] if top == "2" else ["1", "10"]
        assert [test["expected"] for group in FILES["returns"]["groups"] for test in group["tests"] if test["inputs"] == {"prices": prices} and group["params"] == {"kind": "log"}] == [[digits]]


# --- export, load and check -------------------------------------------------------------------------------------------


def test_export_copies_every_file(tmp_path: Path):
    written = vectors.export(tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in written} == {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}
    assert {"README.md", "example.cpp", "schema.json", "vwap.json"} <= {path.name for path in written}


def test_export_needs_a_folder(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match=r"taken.*should be a folder"):
        vectors.export(tmp_path / "taken")


def test_load():
    assert vectors.load("vwap") == FILES["vwap"]
    with pytest.raises(UsageError, match="no vectors are named 'order_id'"):
        vectors.load("order_id")


def test_right_answers_agree_after_a_trip_through_json():
    verdicts = vectors.check(json.loads(json.dumps(RIGHT)))
    assert [verdict.id for verdict in verdicts] == [ident for name in vectors.names() for ident in TESTS if TESTS[ident]["id"].rpartition("-")[0] == name]
    assert {verdict.status for verdict in verdicts} == {"agrees"}


def test_every_other_answer_that_is_left_open_agrees():
    for ident, test in TESTS.items():
        if isinstance(test["expected"], dict) and "either" in test["expected"]:
            assert [judged(ident, answer).status for answer in test["expected"]["either"]] == ["agrees"] * len(test["expected"]["either"])


def judged(ident: str, answer: Any) -> vectors.Verdict:
    (found,) = (verdict for verdict in vectors.check({ident: answer}) if verdict.id == ident)
    return found


def spoiled(answer: Any) -> Any:
    """Change one thing in an answer."""
    if isinstance(answer, dict):
        key = next(iter(answer))
        return {**answer, key: spoiled(answer[key])}
    if isinstance(answer, list):
        return [*answer[:-1], spoiled(answer[-1])] if answer else ["1"]
    if isinstance(answer, bool):
        return not answer
    if answer is None or answer == "error":
        return "12345"
    try:
        return str(Decimal(1) + Decimal(Fraction(answer).numerator) / Decimal(Fraction(answer).denominator))
    except ValueError:
        return "SUSPENDED"


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_answer_does_not_agree(name: str):
    closed = {ident: RIGHT[ident] for ident, test in TESTS.items() if ident.rpartition("-")[0] == name and test["result"] != "acceptable"}
    verdicts = {verdict.id: verdict for verdict in vectors.check({ident: spoiled(answer) for ident, answer in closed.items()})}
    assert {verdicts[ident].status for ident in closed} == {"disagrees"}
    assert all(verdicts[ident].reason.startswith("was ") and "should be" in verdicts[ident].reason for ident in closed)


def ident_of(name: str, comment: str) -> str:
    (found,) = (ident for ident, test in TESTS.items() if ident.rpartition("-")[0] == name and test["comment"] == comment)
    return found


@pytest.mark.parametrize(
    ("name", "comment", "answer", "status"),
    [
        ("vwap", "507 / 5", "101.40", "agrees"),
        ("vwap", "507 / 5", "507/5", "agrees"),
        ("vwap", "507 / 5", "101.4000000000000000000000001", "disagrees"),
        ("vwap", "507 / 5", 101.4, "agrees"),
        ("vwap", "507 / 5", 101.40000000000005, "agrees"),  # 4 ulp of 1.4e-14
        ("vwap", "507 / 5", 101.40000000000009, "disagrees"),
        ("vwap", "507 / 5", True, "disagrees"),
        ("vwap", "507 / 5", "about 101", "disagrees"),
        ("vwap", "507 / 5", ["101.4"], "disagrees"),
        ("vwap", "507 / 5", {"error": "x"}, "disagrees"),
        ("vwap", "507 / 5", None, "disagrees"),
        ("vwap", "does not end: 302/3", "100.6666666666666666666666667", "agrees"),
        ("vwap", "does not end: 302/3", "100.66666666666666666666666", "disagrees"),
        ("vwap", "does not end: 302/3", 100.66666666666667, "agrees"),
        ("vwap", "sum of p x q of 26 digits", 12345678901.5, "not judged"),
        ("vwap", "sum of p x q of 26 digits", "12345678901.5", "disagrees"),
        ("vwap", "no trades", None, "agrees"),
        ("vwap", "no trades", "NaN", "agrees"),
        ("vwap", "no trades", float("nan"), "agrees"),
        ("vwap", "no trades", {"error": "no volume"}, "agrees"),
        ("vwap", "no trades", "0", "disagrees"),
        ("vwap", "no trades", False, "disagrees"),
        ("vwap", "a price NaN", None, "agrees"),
        ("vwap", "a price NaN", "error", "agrees"),
        ("vwap", "a price NaN", "NaN", "disagrees"),
        ("vwap", "a price NaN", float("nan"), "disagrees"),
        ("ema", "a gap at the start: nothing before the first value, and never 0", [float("nan"), 100, 102], "agrees"),
        ("ema", "a gap at the start: nothing before the first value, and never 0", ["0", "100", "102"], "disagrees"),
        ("ema", "a gap at the start: nothing before the first value, and never 0", ["error", "100", "102"], "disagrees"),
        ("returns", "a hundredth of a basis point", [1.0000000028756124e-06], "agrees"),
        ("returns", "doubled: ln 2", ["0.69314718055994530941723"], "agrees"),
        ("returns", "doubled: ln 2", ["0.69314718055994530941"], "disagrees"),
        ("returns", "doubled: ln 2", [0.693147180559949], "agrees"),  # 3.7e-15 off
        ("returns", "doubled: ln 2", [0.69314718055995], "disagrees"),  # 4.7e-15 off
        ("realized_pnl", "an average that does not end, closed whole, average", "7.000000000000000000000001", "agrees"),
        ("realized_pnl", "an average that does not end, closed whole, fifo", "7.000000000000000000000001", "disagrees"),
        ("realized_pnl", "a hair above entry: the difference of large numbers, fifo", 0.00010000000474974513, "agrees"),
        ("realized_pnl", "a hair above entry: the difference of large numbers, fifo", 0.00011, "disagrees"),
        ("parse_ts", "a last nanosecond", 1609459200000000001, "agrees"),
        ("parse_ts", "a last nanosecond", 1609459200000000001.0, "disagrees"),
        ("parse_ts", "beyond int64: exact, or refused, never wrapped", "-9223372036709551616", "disagrees"),
        ("trade_signs", "up, down", [0, 1, -1], "agrees"),
        ("Breaker", "one update is enough", [{"tripped": 1}], "disagrees"),
        ("Breaker", "one update is enough", [True], "disagrees"),
        ("Order", "acknowledged", [{"state": "NEW", "cum_qty": 0, "leaves_qty": "10.0", "avg_px": 0}], "agrees"),
        ("Order", "acknowledged", [{"state": "NEW", "cum_qty": 0, "leaves_qty": "10.0", "avg_px": "NaN"}], "disagrees"),
        ("Order", "acknowledged", [{"state": "NEW", "cum_qty": 0, "leaves_qty": "10.0"}], "agrees"),
        ("Order", "acknowledged", [{"state": "OPEN", "cum_qty": 0, "leaves_qty": "10", "avg_px": None}], "disagrees"),
        ("Order", "acknowledged", [{"state": "NEW", "leaves_qty": "10", "avg_px": None}], "disagrees"),
        ("Order", "acknowledged", [], "disagrees"),
        ("Book", "crossed is not valid", [{"bids": [["100", "1"], ["99", "2"]], "asks": [["101", "3"], ["102", "4"]], "valid": True}, {"bids": [], "valid": False}], "agrees"),
        ("RateLimiter", "a negative weight is refused as such and frees nothing", [True, False, False], "agrees"),
        ("RateLimiter", "a negative weight is refused as such and frees nothing", [True, True, False], "disagrees"),
    ],
)
def test_verdict(name: str, comment: str, answer: Any, status: str):
    ident = next(each for each in [ident for ident, test in TESTS.items() if ident.rpartition("-")[0] == name and test["comment"] == comment])
    verdict = judged(ident, answer)
    assert (verdict.status, verdict.formula, verdict.flags) == (status, name, tuple(TESTS[ident]["flags"]))
    assert bool(verdict.reason) == (status != "agrees")


def test_a_group_is_answered_whole_or_left_out():
    (first, *rest) = [test["id"] for test in FILES["convert"]["groups"][0]["tests"]]
    verdicts = vectors.check({first: RIGHT[first]})
    assert [(verdict.id, verdict.status) for verdict in verdicts] == [(first, "agrees"), *((ident, "missing") for ident in rest)]


@pytest.mark.parametrize(("results", "match"), [({}, "no answer is there"), ({"vwap-001": "101.4", "vwap-1": "101.4"}, "no case has the id 'vwap-1'")])
def test_answers_that_cannot_be_used(results: dict[str, Any], match: str):
    with pytest.raises(UsageError, match=match):
        vectors.check(results)


@pytest.mark.parametrize(
    ("expected", "got", "given", "agreed"),
    [
        ("1.5", "1.50", {"number": "decimal"}, True),
        ("1.5", "1.500000000000000000000000001", {"number": "decimal"}, False),
        ("1.5", "1.500000000000000000000000001", {"number": "decimal", "rounded": True}, True),
        ("1.5", "1.5000000000000000000001", {"number": "decimal", "rounded": True}, True),  # 22 digits hold 1e-21
        ("1.5", "1.50000000000000000001", {"number": "decimal", "rounded": True}, False),
        ("1/3", "0.3333333333333333333333333333", {"number": "decimal"}, True),
        ("1/3", "0.33333333333333333333333333", {"number": "decimal"}, False),
        ("1/3", "0.3333333333333333333333", {"number": "decimal", "condition": 10}, True),
        ("1/3", "0.333333333333333333333", {"number": "decimal", "condition": 10}, False),
        ("0", "0.0000000000000000000001", {"number": "decimal"}, False),
        ("0", "0.0000000000000000000001", {"number": "decimal", "scale": 100, "rounded": True}, True),
        ("0", "0.000000000000000000001", {"number": "decimal", "scale": 100, "rounded": True}, False),
        ("1", 1 + 4 * 2**-52, {"number": "float"}, True),
        ("1", 1 + 5 * 2**-52, {"number": "float"}, False),
        ("1", 1 + 40 * 2**-52, {"number": "float", "condition": 10}, True),
        ("1", 1 + 41 * 2**-52, {"number": "float", "condition": 10}, False),
        ("0", 4 * 2**-52, {"number": "float", "scale": "1.5"}, True),
        ("0", 5 * 2**-52, {"number": "float", "scale": "1.5"}, False),
        ("0", 0.0, {"number": "float"}, True),
        ("0", 1e-300, {"number": "float"}, False),
        ("0", 1e-300, {"number": "float", "floor": "0.001"}, True),
        (Fraction(1, 3), Decimal("0.3333333333333333333333333333"), {"number": "decimal"}, True),
        (Decimal("2.5"), Fraction(5, 2), {"number": "decimal"}, True),
        (7, float("nan"), {"number": "float"}, False),
        (7, float("inf"), {"number": "float"}, False),
        (7, "seven", {"number": "decimal"}, False),
    ],
)
def test_agrees(expected: Any, got: Any, given: dict[str, Any], agreed: bool):
    assert vectors.agrees(expected, got, **given) is agreed


def test_a_bot_that_computes_with_decimals_of_28_digits_agrees():
    assert getcontext().prec == 28
    answers: dict[str, Any] = {}
    for group in FILES["funding"]["groups"]:
        inverse, multiplier = group["params"]["kind"] == "inverse", Decimal(group["params"]["multiplier"])
        for test in group["tests"]:
            qty, mark, rate = (Decimal(test["inputs"][name]) for name in ("qty", "mark", "rate"))
            good = group["params"]["kind"] in ("linear", "inverse", "spot", "quanto") and all(each.is_finite() for each in (qty, mark, rate, multiplier))
            value = (qty / mark if inverse else qty * mark) * multiplier if good and mark > 0 else None
            answers[test["id"]] = None if value is None else str(-value * rate)
    assert Counter(verdict.status for verdict in vectors.check(answers)) == {"agrees": len(answers)}


COMPILER = shutil.which("g++") or shutil.which("clang++")


@pytest.mark.skipif(COMPILER is None, reason="the example is C++ and there is no compiler")
def test_the_example_in_cpp(tmp_path: Path):
    built = subprocess.run([COMPILER, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "example", FOLDER / "example.cpp"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    run = [str(tmp_path / "example"), str(FOLDER / "vwap.json")]
    cases = sum(len(group["tests"]) for group in FILES["vwap"]["groups"])
    assert f"`{cases} of {cases} cases pass`" in (FOLDER / "README.md").read_text()
    printed = subprocess.run(run, capture_output=True, text=True)
    assert printed.stdout.splitlines()[-1] == f"{cases} of {cases} cases pass"
    assert (printed.returncode, printed.stdout.count("PASS "), printed.stdout.count("FAIL ")) == (0, cases, 0)
    assert subprocess.run([*run, tmp_path / "answers.json"]).returncode == 0
    verdicts = vectors.check(json.loads((tmp_path / "answers.json").read_text()))
    assert Counter(verdict.status for verdict in verdicts) == {"agrees": cases - 1, "not judged": 1}
    wrong = (FOLDER / "vwap.json").read_text().replace('"expected": "101.4"', '"expected": "101.5"')
    (tmp_path / "vwap.json").write_text(wrong)
    failed = subprocess.run([run[0], tmp_path / "vwap.json"], capture_output=True, text=True)
    assert (failed.returncode, failed.stdout.count("FAIL ")) == (1, wrong.count('"expected": "101.5"'))
    assert "FAIL vwap-001  507 / 5: was 1.014" in failed.stdout
