"""Parameters are read from every form of configuration, with what is stated of each, and where."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from source.reviewed import tree_of

from mmverify.checks.s6_judged import bounds_fault, default_fault, unit_fault
from mmverify.source.parameters import Parameter, names_unit, number, parameters
from mmverify.source.symbols import symbols


def read(files: dict[str, str], **settings: list[str]) -> dict[str, Parameter]:
    """Return the parameters of a tree by section and name."""
    tree = tree_of(files, **settings)
    found, _ = parameters(tree, symbols(tree))
    return {".".join(filter(None, [each.section, each.name])): each for each in found}


@pytest.mark.parametrize(
    ("path", "text", "at"),
    [
        ("config/bot.toml", "# bps\nx = 1\n\n[quoting]\nspread = 4  # bps\n", 5),
        ("config/bot.yaml", "x: 1\nquoting:\n  # the least one, in bps\n  spread: 4\n", 4),
        ("config/bot.json", '{\n  "x": 1,\n  "quoting": {\n    "spread": 4 // bps\n  }\n}\n', 4),
        ("config/bot.ini", "[other]\nx = 1\n[quoting]\nspread = 4 ; bps\n", 4),
    ],
)
def test_a_value_is_read_with_its_line_and_the_unit_of_its_comment(path: str, text: str, at: int) -> None:
    known = read({path: text})["quoting.spread"]
    assert (number(known.value), known.at, dict(known.said)) == (4.0, f"{path}:{at}", {"unit": "bps"})


def test_an_environment_file_states_parameters() -> None:
    known = read({"deploy/live.env": "export MAX_POSITION=0.5  # btc\nDRY_RUN='true'\n"})
    assert known["MAX_POSITION"].value == "0.5"
    assert known["MAX_POSITION"].said == {"unit": "btc"}
    assert known["DRY_RUN"].value == "true"


def test_a_table_states_itself_and_nothing_else_speaks_for_it() -> None:
    text = '[limits]\nmax_qty = { value = 5, unit = "BTC", min = 1, critical = true }\n'
    schema = '{"properties": {"max_qty": {"maximum": 9}}}'
    known = read({"config/bot.toml": text, "config/schema.json": schema})["limits.max_qty"]
    assert known.itself
    assert known.said == {"unit": "BTC", "min": 1, "critical": True}


def test_a_schema_and_a_documented_table_complete_a_plain_value() -> None:
    table = "| parameter | unit | range |\n|---|---|---|\n| `risk.cap` | USDT | 1 to 9 |\n| `span` | updates | 2..8 |\n"
    schema = '{"properties": {"cap": {"minimum": 2, "maximum": 7, "default": 3, "description": "in usd"}}}'
    known = read({"config/bot.toml": "cap = 5\nspan = 4\n", "docs/p.md": table, "s.json": schema})
    assert known["cap"].said == {"unit": "usd", "min": 2, "max": 7, "default": 3}
    assert known["span"].said == {"unit": "updates", "min": "2", "max": "8"}


FIELDS = """
class RiskSettings(BaseSettings):
    max_position: Decimal = Field(default=Decimal("0.5"), ge=0, le=5, description="in BTC")
    stale_ms: int = 2000
    ratio: float = math.inf
    live: bool = False
    name: str = "x"
    skew: float = 2.0

    @field_validator("skew")
    def check_skew(cls, value):
        return value


@dataclass
class QuoteConfig:
    order_qty: float = 0.05  # BTC


class Response(BaseModel):
    max_position: float = 1.0
"""


def test_classes_of_settings_state_their_fields() -> None:
    known = read({"bot/settings.py": FIELDS})
    assert set(known) == {
        "RiskSettings.max_position", "RiskSettings.stale_ms", "RiskSettings.ratio", "RiskSettings.live",
        "RiskSettings.skew", "QuoteConfig.order_qty",
    }  # fmt: skip
    assert known["RiskSettings.max_position"].said == {"min": 0.0, "max": 5.0, "default": 0.5, "unit": "btc"}
    assert known["RiskSettings.max_position"].at == "bot/settings.py:3"
    assert known["RiskSettings.ratio"].value == math.inf
    assert known["RiskSettings.live"].value is False
    assert known["RiskSettings.skew"].checked and not known["RiskSettings.stale_ms"].checked
    assert known["QuoteConfig.order_qty"].said == {"default": 0.05, "unit": "btc"}


@pytest.mark.parametrize("path", ["bot/api_schemas.py", "bot/responses.py", "bot/plots/config.py", "tests/settings.py"])
def test_classes_of_what_is_sent_drawn_or_tested_are_no_parameters(path: str) -> None:
    assert read({path: FIELDS}) == {}


@pytest.mark.parametrize(
    "path", ["pyproject.toml", "package.json", "tests/config.toml", "docs/config.yml", "data/x.json"]
)
def test_a_file_that_configures_something_else_is_no_configuration(path: str) -> None:
    assert read({path: '{"spread": 4}' if path.endswith("json") else "spread = 4\n"}) == {}


def test_the_version_of_a_file_is_no_parameter() -> None:
    assert set(read({"config/bot.yml": "template_version: 6\nversion: 1\nspread: 4\n"})) == {"spread"}


def test_only_what_review_toml_lists_is_read_and_what_cannot_be_is_noted() -> None:
    files = {"config/a.toml": "a = 1\n", "config/b.toml": "b = 1\n", "odd.json": "{,"}
    assert set(read(files, config=["config/b.toml"])) == {"b"}
    tree = tree_of(files, config=["odd.json"])
    found, notes = parameters(tree, symbols(tree))
    assert found == []
    assert notes[0].startswith("odd.json cannot be read: ")


@pytest.mark.parametrize(
    ("told", "value"),
    [
        (5, 5.0), ("5", 5.0), ("1_000", 1000.0), ("-1e3", -1000.0), ("inf", math.inf), (Decimal("0.1"), None),
        (True, None), (None, None), ("5 bps", None), ("", None),
    ],
)  # fmt: skip
def test_a_number_is_read(told: Any, value: float | None) -> None:
    assert number(told) == (float(told) if isinstance(told, Decimal) else value)


@pytest.mark.parametrize(("comment", "named"), [("wait, in ms", True), ("a percentage", True), ("how many", False)])
def test_a_comment_may_name_a_unit(comment: str, named: bool) -> None:
    assert names_unit(comment) is named


# --- what is wrong with one -------------------------------------------------------------------------------------------

FULL = {"unit": "BTC", "min": 1, "max": 5, "default": 2}


@pytest.mark.parametrize(
    ("name", "value", "said", "was"),
    [
        ("cap", 3, FULL, ""),
        ("cap", 3, {"min": 1}, "cap = 3 without max"),
        ("cap", 3, {}, "cap = 3 without min and max"),
        ("cap", 7, FULL, "cap value 7"),
        ("cap", 3, {**FULL, "default": 9}, "cap default 9"),
        ("cap", 3, {**FULL, "min": 6}, "cap from 6 to 5"),
        ("order_qty", 3, {**FULL, "min": -1}, "order_qty from -1 to 5"),
        ("min_spread_bps", 3, {**FULL, "min": 0}, "min_spread_bps from 0 to 5"),
        ("max_skew_bps", 3, {**FULL, "min": 0}, ""),
        ("share", 1, {"unit": "fraction", "min": 0, "max": 20}, "share from 0 to 20"),
    ],
)
def test_bounds(name: str, value: float, said: dict[str, Any], was: str) -> None:
    fault = bounds_fault(Parameter(name, "c.toml:1", value, said, "", True))
    assert (fault.was if fault else "") == was


def test_bounds_that_a_validator_checks_are_not_missed() -> None:
    assert bounds_fault(Parameter("cap", "c.py:1", 3, {}, "C", False, True)) is None
    assert bounds_fault(Parameter("cap", "c.py:1", 7, FULL, "C", False, True)) is not None


@pytest.mark.parametrize(
    ("name", "value", "unit", "itself", "was"),
    [
        ("cap", 3, "BTC", True, ""),
        ("cap", 3, "", True, "cap = 3 without a unit"),
        ("cap", 3, "", False, "cap = 3 without a unit"),
        ("stale_ms", 2000, "", False, ""),
        ("retries", 3, "", False, ""),
        ("size_multiplier", 3, "", False, ""),
        ("stale_ms", 2000, "s", True, "stale_ms in s"),
        ("stale_ms", 2000, "milliseconds", True, ""),
        ("timeout_ms", 1.5, "ms", True, "timeout_ms = 1.5 ms"),
        ("max_drawdown", 5, "fraction", True, "max_drawdown = 5 fraction"),
        ("window_s", 1, "s", True, ""),
    ],
)
def test_units(name: str, value: float, unit: str, itself: bool, was: str) -> None:
    fault = unit_fault(Parameter(name, "c.toml:1", value, {"unit": unit} if unit else {}, "", itself))
    assert (fault.was if fault else "") == was


@pytest.mark.parametrize(
    ("name", "default", "itself", "faulty"),
    [
        ("dry_run", False, False, True), ("dry_run", True, False, False), ("live", True, False, True),
        ("live", False, False, False), ("paper", "off", False, True), ("breaker_enabled", False, False, True),
        ("max_position", None, False, True), ("max_leverage", "inf", False, True), ("max_open_orders", -1, False, True),
        ("max_notional", "", False, True), ("max_order_age", None, False, False), ("limit_price", None, False, False),
        ("time_limit", None, False, False), ("max_volatility", "inf", False, False), ("max_spread", "none", True, True),
        ("max_entry_position_adjustment", None, False, False), ("max_position", 1, False, False),
    ],
)  # fmt: skip
def test_defaults(name: str, default: Any, itself: bool, faulty: bool) -> None:
    assert (default_fault(Parameter(name, "c.toml:1", default, {}, "", itself)) is not None) is faulty
