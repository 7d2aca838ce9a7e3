"""The command line: check the configuration, run on a feed of JSON lines, or report on one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from bot import logs, settings
from bot.clock import parse_ts, window_of
from bot.desk import Desk
from bot.engine import Engine
from bot.gateway import DryRun, Venue
from bot.logs import LOG
from bot.signals import vwap

MINUTE_NS = 60_000_000_000
VENUE_URL = "https://api.venue.example"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give its exit code: 2 where the configuration is refused, 3 where the desk halted."""
    options = _parser().parse_args(arguments)
    if options.command == "report":
        with _lines(options.feed) as lines:
            report(lines)
        return 0
    try:
        stated, chosen = settings.read(options.config), settings.load(options.config)
        if options.command == "check":
            for name, each in stated.items():
                print(name, each["value"], each["unit"])
            return 0
        venue = _venue(options.live, chosen)
    except (OSError, ValueError, LookupError) as error:
        print(error, file=sys.stderr)
        return 2
    engine = Engine(chosen)
    listener = logs.start()
    try:
        with _lines(options.feed) as lines:
            return 3 if run(lines, Desk(engine, venue), engine, options.config) else 0
    finally:
        listener.stop()


def _lines(feed: str) -> TextIO:
    return sys.stdin if feed == "-" else open(feed, encoding="utf-8")


def _venue(live: bool, chosen: settings.Settings) -> DryRun | Venue:
    """Send orders only where both the command and the configuration say so."""
    if not live:
        return DryRun(sys.stdout)
    if chosen.dry_run:
        raise settings.SettingsError("--live, but dry_run is true in the configuration")
    return Venue(VENUE_URL, chosen.symbol, float(chosen.request_timeout_ms) / 1000)


def run(lines: Iterable[str], desk: Desk, engine: Engine, config: Path) -> bool:
    """Follow a feed to its end, then cancel all; say whether the desk had halted before."""
    try:
        for line in lines:
            try:
                message = json.loads(line, parse_float=Decimal)
                now_ns = parse_ts(message["ts_local"])
                _dispatch(message, now_ns, desk, engine, config)
            except (ValueError, LookupError, ArithmeticError, TypeError) as error:
                LOG.error("message refused: %s", error)
                engine.withdraw()
                continue
            engine.on_time(now_ns)
            desk.follow(now_ns)
        return engine.halted
    finally:
        desk.halt("the feed ended")


def report(lines: Iterable[str]) -> None:
    """Print the start, the VWAP and the volume of each minute of public trades."""
    minutes: dict[int, list[tuple[Decimal, Decimal]]] = {}
    for message in map(json.loads, lines):
        if message["type"] == "trade":
            trade = (Decimal(message["price"]), Decimal(message["qty"]))
            minutes.setdefault(window_of(message["ts_exchange"], MINUTE_NS), []).append(trade)
    for start_ns, trades in sorted(minutes.items()):
        prices, qtys = zip(*trades, strict=True)
        print(start_ns, vwap(prices, qtys), sum(qtys))


def _dispatch(message: dict[str, Any], now_ns: int, desk: Desk, engine: Engine, config: Path) -> None:
    kind = message["type"]
    if kind == "book":
        engine.on_book_update(_decimals(message))
    elif kind == "snapshot":
        engine.on_snapshot(_decimals(message))
    elif kind == "report":
        desk.on_report(
            {key: Decimal(each) if key in ("qty", "price", "fee") else each for key, each in message.items()}
        )
    elif kind == "equity":
        desk.on_equity(now_ns, Decimal(message["equity"]))
    elif kind == "reload":
        engine.settings = settings.reload(engine.settings, config, quotes_paused=not engine.quoting)
    elif kind == "kill":
        desk.halt("kill switch")
    elif kind not in ("heartbeat", "trade"):
        raise ValueError(f"a message of type {kind!r}")


def _decimals(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"levels": [(side, Decimal(price), Decimal(qty)) for side, price, qty in message["levels"]]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot.main", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check the configuration and print it")
    run = commands.add_parser("run", help="quote on a feed until it ends")
    report = commands.add_parser("report", help="print the VWAP of each minute of a feed")
    for command in (check, run):
        command.add_argument("--config", type=Path, required=True, help="the parameters, a TOML file")
    for command in (run, report):
        command.add_argument("--feed", required=True, help="JSON lines, - for standard input")
    run.add_argument("--live", action="store_true", help="send orders; a dry run without it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
