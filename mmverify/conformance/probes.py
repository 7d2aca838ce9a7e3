"""What cannot be told from one call: ids of a fresh process, and what an update of the book costs."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from logging.handlers import QueueHandler
from types import FrameType
from typing import Any

from mmverify.conformance.inputs import Case
from mmverify.conformance.judge import Failure, Seen
from mmverify.conformance.target import IMPORT_SECONDS, Target

_IDS, _FRESH = 2000, 200
_WARM, _MEASURED = 300, 1500
_GROWTH = 0.5  # blocks a call: one that stays is 1
_BLOCKING = (
    "open", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec",
    "os.fork", "builtins.input", "fcntl.flock",
    "fcntl.lockf", "sqlite3.connect", "urllib.Request", "os.listdir", "os.scandir", "shutil.copyfile",
)  # fmt: skip
_METHODS = (
    "acquire",
    "write",
    "flush",
    "read",
    "readline",
    "send",
    "sendall",
    "recv",
    "connect",
    "join",
    "wait",
    "fsync",
    "fdatasync",
    "select",
)
_LIBRARY = ("logging", "queue", "threading", "multiprocessing", "codecs", "tempfile")
_CHILD = """\
import json, sys
sys.path[:0] = json.loads(sys.argv[3])
from mmverify.conformance.target import load, quiet
target = load(sys.argv[1], ["order_id"])
with quiet():
    ids = [target.exposed["order_id"]() for _ in range(int(sys.argv[2]))]
print(json.dumps(ids))
"""


def order_ids(target: Target, case: Case) -> Seen:
    """Look for an id given twice, here or by two fresh processes of the same bot."""
    outcome = target.watch(lambda: [target.exposed["order_id"]() for _ in range(_IDS)])
    ids = outcome.value
    if outcome.kind != "value" or not all(isinstance(one, str | int) for one in ids):
        return Seen(("2.1.5",), Failure("2.1.5", "order_id()", str(outcome)[:200], "a new id", outcome=outcome))
    first, second = _fresh_ids(target), _fresh_ids(target)
    if not (first and second):
        return Seen(())  # it cannot be imported by a fresh process
    for where, given in (("this process", ids), ("two processes, one after the other", first + second + ids)):
        twice = next((one for one, times in Counter(given).items() if times > 1), None)
        if twice is not None:
            was, should = f"{twice!r} given twice, by {where}", "an id that no process gave before"
            return Seen(("2.1.5",), Failure("2.1.5", "order_id()", was, should))
    return Seen(("2.1.5",))


def _fresh_ids(target: Target) -> list[Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, target.name, str(_FRESH), json.dumps(sys.path)],
            capture_output=True, text=True, timeout=IMPORT_SECONDS, check=True,
        )  # fmt: skip
        found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return []
    return found


# --- on_book_update ---------------------------------------------------------------------------------------------------

_events: list[str] | None = None
_hooked = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _events is not None and event in _BLOCKING:
        _events.append(f"{event}{args[:1]!r}" if event == "open" else event)


@contextmanager
def _recorded() -> Iterator[tuple[list[str], list[str]]]:
    """Record what blocks (by audit events and calls of built-in methods), and what is logged or printed."""
    global _events, _hooked
    if not _hooked:
        sys.addaudithook(_audit)  # an audit hook cannot be taken off; without a list it does nothing
        _hooked = True
    blocked: list[str] = []
    logged: list[str] = []
    root, factory, before = logging.getLogger(), logging.getLogRecordFactory(), sys.getprofile()

    def record(name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        if not _queued(name):
            logged.append(f"a log record of {name!r}")
        return factory(name, *args, **kwargs)

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARY:
            return
        name, owner = called.__name__, getattr(called, "__self__", None)
        if called is print or (name == "write" and owner in (sys.stdout, sys.stderr)):
            logged.append(f"{name} to the console")
        elif called is time.sleep:
            blocked.append("time.sleep")
        elif name in _METHODS and type(owner).__module__ in ("_io", "_thread", "_socket", "_ssl", "posix", "select"):
            blocked.append(f"{type(owner).__name__}.{name}")

    _events = blocked
    own = [handler for handler in root.handlers if not type(handler).__module__.startswith("_pytest")]
    level, unset = root.level, not own  # where nothing is set up, what production will set up is not known
    logging.setLogRecordFactory(record)
    if unset:
        root.setLevel(logging.DEBUG)
    sys.setprofile(profile)
    try:
        yield blocked, logged
    finally:
        sys.setprofile(before)
        _events = None
        root.setLevel(level)
        logging.setLogRecordFactory(factory)


def _queued(name: str) -> bool:
    """Say whether a logger hands its records to a queue and to nothing else."""
    handlers: list[logging.Handler] = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    real = [handler for handler in handlers if not isinstance(handler, logging.NullHandler)]
    return bool(real) and all(isinstance(handler, QueueHandler) for handler in real)


def _updates() -> Iterator[dict[str, Any]]:
    seq = 0
    while True:
        levels = [
            ("bid" if n % 2 else "ask", Decimal(60000 + (seq + n) % 20), Decimal(1 + (seq + n) % 7)) for n in range(4)
        ]
        levels = [(side, price - 21 if side == "bid" else price, qty) for side, price, qty in levels]
        ts = 1_700_000_000_000_000_000 + seq * 1_000_000
        yield {"symbol": "BTC-USDT", "seq": seq + 1, "prev_seq": seq, "ts_exchange": ts, "levels": levels}
        seq += 1


def book_update(target: Target, case: Case) -> Seen:
    """Call the function on a steady flow of updates, and look at what it does beside its work."""
    call, flow = target.exposed["on_book_update"], map(target.given, _updates())
    items = ("4.2.2", "4.2.3", "4.2.5")
    text = "on_book_update({'symbol': 'BTC-USDT', 'seq': 1, 'prev_seq': 0, ...})"

    def run(count: int) -> Callable[[], None]:
        def calls() -> None:
            for update in islice(flow, count):
                call(update)

        return calls

    for count in (1, _WARM):  # the first call may import what it needs
        outcome = target.watch(run(count))
        if outcome.kind != "value":
            return Seen(items, Failure("4.2.2", text, outcome.words, "no error on a sound update", outcome=outcome))
    with _recorded() as (blocked, logged):
        outcome = target.watch(run(20))
    failures = {}
    if outcome.kind == "hang" or blocked:
        seen = blocked[0] if blocked else outcome.words
        failures["4.2.2"] = Failure("4.2.2", text, f"{seen} ({len(blocked)} in 20 calls)", "no blocking call")
    if logged:
        failures["4.2.5"] = Failure(
            "4.2.5", text, f"{logged[0]} ({len(logged)} in 20 calls)", "nothing logged or printed on the way"
        )
    growths = [target.watch(lambda: _growth(run)).value for _ in range(3)]
    growth = min((each for each in growths if each is not None), default=0.0)
    if growth >= _GROWTH:
        failures["4.2.3"] = Failure(
            "4.2.3", text, f"{max(round(growth), 1)} memory blocks more a call", "no growth once warm"
        )
    wanted = case.get("item")
    failure = failures.get(wanted) if wanted else next(iter(failures.values()), None)
    return Seen(items, failure)


def _growth(run: Callable[[int], Callable[[], None]]) -> float:
    run(_WARM)()
    gc.collect()
    before = sys.getallocatedblocks()
    run(_MEASURED)()
    gc.collect()
    return (sys.getallocatedblocks() - before) / _MEASURED
