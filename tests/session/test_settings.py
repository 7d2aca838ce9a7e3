"""session.toml: what it cannot mean is refused, what it does not say is what session.md says, its numbers are exact."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from mmverify.errors import EvidenceError
from mmverify.session import Session, open_session

Opened = Callable[..., Session]
Refused = Callable[..., EvidenceError]


@pytest.mark.parametrize(
    "toml",
    [
        "[session",
        "currency = ",
        "[session]\ncurrency = 'USDT\n",
        "[a]\nb = 1\n[a]\n",
        "limit = " + "9" * 5000,
        "deep = " + "[" * 3000 + "]" * 3000,
        "at = 2025-02-30T00:00:00Z",
        b"[session]\nbot = '\xff'\n",
        "[session]\nbot = 'a\0b'\n",
    ],
)
def test_a_file_that_is_no_toml_is_refused(refused: Refused, toml: str | bytes) -> None:
    error = refused({}, toml)
    assert error.file == "session.toml"
    assert error.should in ("valid TOML", "text in UTF-8")


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session.toml").mkdir()
    with pytest.raises(EvidenceError, match=r"^session\.toml: not a file; should be a file"):
        open_session(tmp_path)


@pytest.mark.parametrize(
    ("toml", "column", "was"),
    [
        ("conventions = 'fifo'", "conventions", "'fifo'"),
        ("session = 3", "session", "3"),
        ("[[timing]]\nclaim_lag_ms = 1", "timing", "[{'claim_lag_ms': 1}]"),
        ("[limits]\nmax_position = 3", "limits", "{'max_position': 3}"),
        ("config = [1]", "config", "[1]"),
        ("[breaker]\nname = 'dd'", "breaker", "{'name': 'dd'}"),
        ("rate_limit = [3]", "rate_limit", "[3]"),
        ("maintenance = 'never'", "maintenance", "'never'"),
        ("[conventions]\ncost_basis = 'FIFO'", "conventions.cost_basis", "'FIFO'"),
        ("[conventions]\ncost_basis = ['fifo']", "conventions.cost_basis", "['fifo']"),
        ("[conventions]\nrealized = true", "conventions.realized", "True"),
        ("[conventions]\nmid_min_qty = 'small'", "conventions.mid_min_qty", "'small'"),
        ("[session]\nfills_from = 'both'", "session.fills_from", "'both'"),
        ("[session]\ncurrency = 3", "session.currency", "3"),
        ("[session]\nclient_order_id = 'mm-['", "session.client_order_id", "'mm-['"),
        ("[session]\nstart = 'noon'", "session.start", "'noon'"),
        ("[session]\nend = 1741003200", "session.end", "1741003200"),
        ("[[maintenance]]\nstart = 2025-03-03T12:00:00Z\nend = 'late'", "maintenance[1].end", "'late'"),
        ("[timing]\nclaim_lag_ms = 'fast'", "timing.claim_lag_ms", "'fast'"),
        ("[timing]\nclaim_lag_ms = nan", "timing.claim_lag_ms", "NaN"),
        ("[timing]\nclaim_lag_ms = -inf", "timing.claim_lag_ms", "-Infinity"),
        ("[timing]\nclaim_lag_ms = -1", "timing.claim_lag_ms", "-1"),
        ("[timing]\nmax_clock_skew_ms = -0.001", "timing.max_clock_skew_ms", "-0.001"),
        ("[timing]\nclaim_lag_ms = 1e400", "timing.claim_lag_ms", "1E+400"),
        ("[timing]\nclaim_lag_ms = 1e39", "timing.claim_lag_ms", "1E+39"),
        ("[timing]\nclaim_lag_ms = 1e-400", "timing.claim_lag_ms", "1E-400"),
        ("[timing]\nclaim_lag_ms = true", "timing.claim_lag_ms", "True"),
        ("[timing]\nclaim_lag_ms = [0, [1], 0]", "timing.claim_lag_ms", "[0, [1], 0]"),
        ("[timing]\nclaim_lag_ms = '१'", "timing.claim_lag_ms", "'१'"),
        ("[timing]\nclaim_lag_ms = '1_000'", "timing.claim_lag_ms", "'1_000'"),
        ("[timing]\nclaim_lag_ms = ''", "timing.claim_lag_ms", "''"),
        (f"[limits.A]\nmax_position = {10**40}", "limits.A.max_position", "1000"),
        ("[risk]\nmax_drawdown = '5 %'", "risk.max_drawdown", "'5 %'"),
        ("[[breaker]]\nname = 'a'\n[[breaker]]\nthreshold = 'x'", "breaker[2].threshold", "'x'"),
        ("[[rate_limit]]\nwindow_s = 2025-03-03", "rate_limit[1].window_s", "2025-03-03"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(refused: Refused, toml: str, column: str, was: str) -> None:
    error = refused({}, toml)
    assert (error.file, error.column) == ("session.toml", column)
    assert was in error.was
    assert "Decimal(" not in error.was


def test_the_message_is_a_sentence_that_a_stranger_understands(refused: Refused) -> None:
    error = refused({}, "[conventions]\ncost_basis = 'hifo'")
    assert str(error) == "session.toml, column conventions.cost_basis: 'hifo'; should be one of fifo, lifo, average"


@pytest.mark.parametrize("text", ["0.1", "'0.1'", "1e-1", "'+.1'"])
def test_a_number_is_exact(opened: Opened, text: str) -> None:
    session = opened({}, f"[risk]\nmax_drawdown = {text}")
    assert session.number("risk", "max_drawdown") == Fraction(1, 10)


def test_an_empty_file_leaves_what_session_md_says(opened: Opened) -> None:
    session = opened({})
    assert session.convention("cost_basis") == "fifo"
    assert session.number("timing", "claim_lag_ms", 0) == 0
    assert session.number("timing", "claim_lag_ms") is None
    assert session.currency is None
    assert session.name == "session"
    assert not session.has("trades")
    assert len(session.table("trades")) == 0


def test_what_it_states_is_read(opened: Opened) -> None:
    session = opened({}, '\ufeff[session]\ncurrency = "USDT"\n[conventions]\ncost_basis = "lifo"\n')
    assert session.convention("cost_basis") == "lifo"
    assert session.currency == "USDT"
    assert session.notes == []


def test_a_name_that_nobody_knows_is_noted_as_it_may_be_a_slip(opened: Opened) -> None:
    toml = '[convention]\nrealized = "net"\n[conventions]\ncost_bassis = "lifo"\n[limits.A]\nmax_pos = 3\n'
    assert opened({}, toml).notes == [
        "session.toml: unknown, kept and ignored: [convention], conventions.cost_bassis, limits.A.max_pos"
    ]
