"""The example bot: it does what the contract says, what its README says, and fails closed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmverify.conformance.faults import items_of, names
from mmverify.conformance.run import conform

BOT = Path(__file__).parents[1] / "data" / "bot"
FILES = sorted([*BOT.glob("*.py"), *BOT.glob("bot/*.py")])
#: A few of each sort, for every commit; the campaign tries all.
FAST = ["quote", "vwap", "realized_pnl", "parse_ts", "Order", "on_book_update"]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the bot's command line in its own folder, without the keys that may be in this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MM_", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-B", "-m", "bot.main", *arguments],
        cwd=BOT, env=kept | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


# --- the contract -----------------------------------------------------------------------------------------------------


def assert_conforms(chosen: list[str], budget: float) -> None:
    results = conform(str(BOT / "adapter.py"), names=chosen, budget=budget)
    assert [(each.item, each.looked.breaches[0].was) for each in results if each.looked.breaches] == []
    assert [(each.item, each.check.name, each.error) for each in results if not each.looked.exercised] == []
    assert len(results) == sum(len(items_of(name)) for name in chosen)


def test_the_fast_names_conform() -> None:
    assert_conforms(FAST, 60)


@pytest.mark.campaign
def test_every_name_conforms() -> None:
    assert_conforms(list(names()), 180)


# --- the tree ---------------------------------------------------------------------------------------------------------


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            whole = node.module == "bot"
            yield from (f"bot.{alias.name}" for alias in node.names) if whole else [node.module or ""]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_uses_the_standard_library_and_itself(path: Path) -> None:
    assert {name.partition(".")[0] for name in imports(path)} <= {*sys.stdlib_module_names, "bot"}


def test_the_diagram_shows_who_uses_whom() -> None:
    text = (BOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^    (\w+)(?:\[\w+\])? --> (\w+)", text, re.MULTILINE))
    used = {(path.stem, name[4:]) for path in FILES for name in imports(path) if name.startswith("bot.")}
    assert drawn == used


def test_it_stays_small() -> None:
    lines = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 1150


# --- the commands -----------------------------------------------------------------------------------------------------


def test_the_commands_of_the_readme_run() -> None:
    text = (BOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in re.findall(r"`python -m bot\.main ([^`]+)`", text) if "--live" not in line]
    assert len(lines) == 3
    for line in lines:
        done = command(*line.split())
        assert done.returncode == 0 and done.stdout, (line, done.stderr)


def test_the_sample_feed_is_quoted_as_worked_by_hand() -> None:
    done = command("run", "--config", "config/bot.toml", "--feed", "samples/feed.jsonl")
    said = re.sub(r"mm-[0-9a-f]{32}", "ID", done.stdout).splitlines()
    # 61799.9 x 0.8 + 61800.0 x 0.9 over 1.7 is 61799.9529; 2 bps of it is 12.35999: 61787.59 down, 61812.31 up.
    # Then 61799.9 x 1.5 + 61800.3 x 0.9 over 2.4 is 61800.05; 2 bps of it is 12.36001: 61787.69 down, 61812.41 up.
    assert said == [
        "place ID buy 0.05 at 61787.5",
        "place ID sell 0.05 at 61812.4",
        "cancel ID",
        "place ID buy 0.05 at 61787.6",
        "cancel ID",
        "place ID sell 0.05 at 61812.5",
        "cancel ID",
        "cancel ID",
    ]


def test_the_report_is_the_vwap_by_hand() -> None:
    done = command("report", "--feed", "samples/feed.jsonl")
    assert done.stdout == "1772442000000000000 61800.0 0.8\n"


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ("max_position = {", "max_positon = {", "missing or unknown: max_position, max_positon"),
        ("value = 0.5, unit", "value = 6, unit", "max_position is 6; should be in [0.001, 5] BTC"),
        ("value = 0.5, unit", "value = inf, unit", "max_position is Infinity; should be in [0.001, 5] BTC"),
        ("min = 0.001, max = 5,", "min = 0.001,", "max_position: max is not stated"),
        ("dry_run = { value = true", 'dry_run = { value = "no"', "dry_run is 'no'; should be of type bool"),
    ],
)
def test_a_wrong_configuration_is_refused(find: str, replace: str, words: str, tmp_path: Path) -> None:
    text = (BOT / "config" / "bot.toml").read_text(encoding="utf-8")
    assert text.count(find) == 1
    path = tmp_path / "bot.toml"
    path.write_text(text.replace(find, replace), encoding="utf-8")
    done = command("run", "--config", str(path), "--feed", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_live_is_refused_without_the_configuration_and_without_keys(tmp_path: Path) -> None:
    done = command("run", "--config", "config/bot.toml", "--feed", "-", "--live", MM_API_KEY="k", MM_API_SECRET="s")
    assert (done.returncode, done.stderr) == (2, "--live, but dry_run is true in the configuration\n")
    text = (BOT / "config" / "bot.toml").read_text(encoding="utf-8")
    path = tmp_path / "bot.toml"
    path.write_text(text.replace("dry_run = { value = true", "dry_run = { value = false"), encoding="utf-8")
    done = command("run", "--config", str(path), "--feed", "-", "--live")
    assert (done.returncode, done.stderr) == (2, "'MM_API_KEY'\n")


def test_every_default_is_within_its_bounds_and_no_riskier_than_the_value() -> None:
    sections = tomllib.loads((BOT / "config" / "bot.toml").read_text(encoding="utf-8"))
    for section in ("limits", "risk"):
        for name, each in sections[section].items():
            safer = (
                each["default"] >= each["value"] if name == "breaker_cooldown_s" else each["default"] <= each["value"]
            )
            assert safer and each["min"] <= each["default"], name
    assert sections["mode"]["dry_run"]["default"] is True


# --- the desk ---------------------------------------------------------------------------------------------------------


class Recorded:
    """A venue that notes what it is asked, and answers a cancel as told."""

    def __init__(self, cancel: str = "cancel_ack") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._cancel = cancel

    def place(self, client_order_id: str, side: str, price: Decimal, qty: Decimal) -> str:
        self.asked.append((client_order_id, side, price, qty))
        return "ack"

    def cancel(self, client_order_id: str) -> str:
        self.asked.append((client_order_id,))
        return self._cancel


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give what makes a desk that has both quotes working, with its engine and venue."""
    monkeypatch.syspath_prepend(str(BOT))
    from bot.desk import Desk
    from bot.engine import Engine
    from bot.settings import load

    def make(cancel: str = "cancel_ack") -> tuple[Any, Any, Recorded]:
        engine, venue = Engine(load(BOT / "config" / "bot.toml")), Recorded(cancel)
        made = Desk(engine, venue)
        levels = [("bid", Decimal("99.9"), Decimal(1)), ("ask", Decimal("100.1"), Decimal(1))]
        engine.on_snapshot({"seq": 1, "prev_seq": None, "ts_exchange": 1, "levels": levels})
        move(engine, 2, "99.9")
        made.follow(1)
        assert [(side, qty) for _, side, _, qty in venue.asked] == [("buy", Decimal("0.05")), ("sell", Decimal("0.05"))]
        return made, engine, venue

    return make


def move(engine: Any, seq: int, bid: str) -> None:
    levels = [("bid", Decimal(bid), Decimal(1))]
    engine.on_book_update({"seq": seq, "prev_seq": seq - 1, "ts_exchange": seq, "levels": levels})


def fill(order: tuple[Any, ...], exec_id: str) -> dict[str, Any]:
    order_id, _, price, qty = order
    return {
        "client_order_id": order_id,
        "event": "fill",
        "qty": qty,
        "price": price,
        "exec_id": exec_id,
        "fee": Decimal(0),
    }


def test_a_new_order_waits_for_the_end_of_the_old_one(desk: Any) -> None:
    made, engine, venue = desk(cancel="timeout")
    move(engine, 3, "100.0")
    made.follow(2)
    assert {len(asked) for asked in venue.asked[2:]} == {1}  # cancels only
    assert engine.halted


def test_a_gap_withdraws_both_sides(desk: Any) -> None:
    made, engine, venue = desk()
    move(engine, 9, "99.9")
    made.follow(2)
    assert [asked[0] for asked in venue.asked[2:]] == [asked[0] for asked in venue.asked[:2]]
    assert not engine.quoting


def test_a_stale_book_withdraws_both_sides(desk: Any) -> None:
    _, engine, _ = desk()
    engine.on_time(2 + 2_000_000_000)
    assert engine.quoting  # 2000 ms is the limit, and not past it
    engine.on_time(3 + 2_000_000_000)
    assert not engine.quoting


def test_at_the_maximum_only_the_reducing_side_is_quoted(desk: Any) -> None:
    made, engine, venue = desk()
    for n in range(10):  # 10 x 0.05 BTC is max_position
        made.on_report(fill(next(asked for asked in reversed(venue.asked) if "buy" in asked), f"E{n}"))
        move(engine, 3 + n, "99.9")
        made.follow(2 + n)
    assert made.position.qty == engine.position == Decimal("0.5")
    assert engine.quote.bid_qty == 0 and engine.quote.ask_qty == Decimal("0.05")
    assert sum("buy" in asked for asked in venue.asked) == 10


def test_a_repeated_fill_counts_once_and_an_unknown_order_halts(desk: Any) -> None:
    made, engine, venue = desk()
    report = fill(venue.asked[0], "E1")
    made.on_report(report)
    made.on_report(report)
    assert made.position.qty == Decimal("0.05")
    made.on_report(report | {"client_order_id": "not ours"})
    assert engine.halted and venue.asked[-1] == (venue.asked[1][0],)


def test_a_fill_of_more_than_the_order_halts(desk: Any) -> None:
    made, engine, venue = desk()
    made.on_report(fill(venue.asked[0], "E1") | {"qty": Decimal("0.06")})
    assert engine.halted and made.position.qty == 0
    assert [asked[0] for asked in venue.asked[2:]] == [asked[0] for asked in venue.asked[:2]]


@pytest.mark.parametrize(
    "line", ["[]", "{", '{"ts_local": "2026-03-02T09:00:00"}', '{"ts_local": "1", "type": "other"}']
)
def test_a_message_that_cannot_be_read_withdraws_the_quotes(desk: Any, line: str) -> None:
    from bot.main import run

    made, engine, venue = desk()
    beat = '{"ts_local": "1970-01-01T00:00:00.000000003Z", "type": "heartbeat"}'
    assert not run([line, beat], made, engine, BOT / "config" / "bot.toml")
    assert [asked[0] for asked in venue.asked[2:]] == [asked[0] for asked in venue.asked[:2]]


def test_whatever_ends_the_feed_all_orders_are_cancelled(desk: Any) -> None:
    from bot.main import run

    def broken() -> Iterator[str]:
        raise OSError("the pipe broke")
        yield ""

    made, engine, venue = desk()
    with pytest.raises(OSError, match="the pipe broke"):
        run(broken(), made, engine, BOT / "config" / "bot.toml")
    assert [asked[0] for asked in venue.asked[2:]] == [asked[0] for asked in venue.asked[:2]]


def test_the_drawdown_breaker_halts_at_its_threshold(desk: Any) -> None:
    made, engine, _ = desk()
    made.on_equity(10, Decimal(1000))
    made.on_equity(11, Decimal("950.01"))
    assert not engine.halted
    made.on_equity(12, Decimal("950.00"))  # 50 of 1000 is the 0.05 of max_drawdown
    assert engine.halted and not engine.quoting


def test_a_reload_keeps_what_may_not_change(desk: Any, tmp_path: Path) -> None:
    from bot.settings import SettingsError, load, reload

    text, path = (BOT / "config" / "bot.toml").read_text(encoding="utf-8"), tmp_path / "bot.toml"
    current = load(BOT / "config" / "bot.toml")
    path.write_text(text.replace("vol_span = { value = 200", "vol_span = { value = 300"), encoding="utf-8")
    assert reload(current, path, quotes_paused=False).vol_span == 300
    path.write_text(text.replace("vol_span = { value = 200", "vol_span = { value = 9"), encoding="utf-8")
    with pytest.raises(SettingsError, match="vol_span is 9"):
        reload(current, path, quotes_paused=True)
    path.write_text(text.replace("order_qty = { value = 0.05", "order_qty = { value = 0.06"), encoding="utf-8")
    with pytest.raises(SettingsError, match="order_qty cannot be changed"):
        reload(current, path, quotes_paused=True)
