"""What cannot be told from one call: ids of a fresh process, and what an update of the book costs."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
_WARM, _WATCHED, _MEASURED, _ROUNDS = 300, 20, 1500, 3
_FLOW_SECONDS = 30.0  # for that many calls, under measurement
_GROWTH = 0.5  # blocks a call: one that stays is 1
_BLOCKING = (
    "open", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "builtins.input",
    "fcntl.flock", "fcntl.lockf", "sqlite3.connect", "urllib.Request", "os.listdir", "os.scandir", "shutil.copyfile",
)  # fmt: skip
_METHODS = (
    "acquire", "write", "flush", "read", "readline", "send", "sendall", "recv", "connect", "join", "wait", "fsync",
    "fdatasync", "select",
)  # fmt: skip
_LIBRARY = ("logging", "queue", "threading", "multiprocessing", "codecs", "tempfile")
_CHILD = """\
import json, sys
sys.path[:0] = json.loads(sys.argv[3])
from mmverify.conformance.target import load, plain, quiet
target = load(sys.argv[1], ["order_id"])
with quiet():
    ids = [plain(target.exposed["order_id"]()) for _ in range(int(sys.argv[2]))]
print(json.dumps(ids))
"""


def order_ids(target: Target, case: Case) -> Seen:
    """Look for an id given twice, here or by two fresh processes of the same bot."""
    items, should = ("2.1.5",), "an id that no process gave before"
    outcome = target.watch(lambda: [target.exposed["order_id"]() for _ in range(_IDS)], seconds=_FLOW_SECONDS)
    ids = outcome.value
    if outcome.kind != "value" or not all(isinstance(one, str | int) for one in ids):
        return Seen(items, Failure("2.1.5", "order_id()", str(outcome)[:200], "a new id", outcome=outcome))
    twice = _twice(ids)
    if twice is not None:
        was = f"{twice!r} again, within {_IDS} calls of one process"
        return Seen(items, Failure("2.1.5", "order_id()", was, should))
    first = _fresh_ids(target)
    second = _fresh_ids(target) if first else []
    if not second:
        return Seen((), note="order_id: a fresh process gives no ids of this target, so that a restart was not judged")
    twice = _twice([*dict.fromkeys(first), *dict.fromkeys(second), *ids])
    if twice is not None:
        was = f"{twice!r} again, {_FRESH} calls each of two processes, one after the other"
        return Seen(items, Failure("2.1.5", "order_id()", was, should))
    return Seen(items)


def _twice(ids: Sequence[Any]) -> Any:
    return next((one for one, times in Counter(ids).items() if times > 1), None)


def _fresh_ids(target: Target) -> list[Any]:
    """Return ids of a process of its own, none where that cannot load the target."""
    path = json.dumps([str(folder) for folder in sys.path])
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, target.name, str(_FRESH), path],
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
        _events.append(f"open({args[0]!r})" if event == "open" else event)


@contextmanager
def _recorded() -> Iterator[tuple[list[str], list[str]]]:
    """Record what blocks (by audit events and calls of built-in methods), and what is logged or printed."""
    global _events, _hooked
    if not _hooked:
        sys.addaudithook(_audit)  # an audit hook cannot be taken off; without a list it does nothing
        _hooked = True
    blocked: list[str] = []
    logged: list[str] = []
    factory, before = logging.getLogRecordFactory(), sys.getprofile()

    def record(name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        if not _queued(name):
            logged.append(f"a log record of {name!r}")
        return factory(name, *args, **kwargs)

    _events = blocked
    logging.setLogRecordFactory(record)
    with _usual_level():
        sys.setprofile(_profile(blocked, logged))
        try:
            yield blocked, logged
        finally:
            sys.setprofile(before)
            _events = None
            logging.setLogRecordFactory(factory)


def _profile(blocked: list[str], logged: list[str]) -> Callable[[FrameType, str, Any], None]:
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

    return profile


@contextmanager
def _usual_level() -> Iterator[None]:
    """Log from INFO on where a bot leaves the level open; one that sets up the root or a handler has chosen."""
    root = logging.getLogger()
    if _handlers(root) or root.level != logging.WARNING:
        yield
        return
    loggers = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    chosen = [logger for logger in loggers if logger.level == logging.NOTSET and _handlers(logger)]
    for logger in chosen:
        logger.setLevel(root.level)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(logging.WARNING)
        for logger in chosen:
            logger.setLevel(logging.NOTSET)


def _handlers(logger: logging.Logger) -> list[logging.Handler]:
    """Return the handlers of a logger that do something, those of a test runner aside."""
    return [
        handler for handler in logger.handlers
        if not isinstance(handler, logging.NullHandler) and not type(handler).__module__.startswith("_pytest")
    ]  # fmt: skip


def _queued(name: str) -> bool:
    """Say whether a logger hands its records to a queue and to nothing else."""
    handlers: list[logging.Handler] = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        handlers += _handlers(logger)
        logger = logger.parent if logger.propagate else None
    return bool(handlers) and all(isinstance(handler, QueueHandler) for handler in handlers)


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
    """Call the function on a steady flow of updates, and look at one thing that it does beside its work."""
    call, flow, item = target.exposed["on_book_update"], map(target.given, _updates()), case["item"]
    text = "on_book_update({'symbol': 'BTC-USDT', 'seq': 1, 'prev_seq': 0, ...})"

    def run(count: int) -> Callable[[], None]:
        def calls() -> None:
            for update in islice(flow, count):
                call(update)

        return calls

    for count in (1, _WARM):  # the first call may import what it needs
        outcome = target.watch(run(count), seconds=_FLOW_SECONDS)
        if outcome.kind != "value":
            return Seen(
                ("4.2.2",), Failure("4.2.2", text, outcome.words, "no error on a sound update", outcome=outcome)
            )
    if item == "4.2.3":
        return Seen((item,), _growing(target, run, text))
    with _recorded() as (blocked, logged):
        outcome = target.watch(run(_WATCHED), seconds=_FLOW_SECONDS)
    if outcome.kind != "value":
        return Seen(("4.2.2",), Failure("4.2.2", text, outcome.words, "no error on a sound update", outcome=outcome))
    seen, should = (blocked, "no blocking call") if item == "4.2.2" else (logged, "nothing logged or printed")
    work = (f"of {_WATCHED} calls after {_WARM + 1} others: {', '.join(_counted(seen))}",)
    return Seen((item,), Failure(item, text, seen[0], should, work) if seen else None)


def _counted(seen: list[str]) -> list[str]:
    return [f"{each} {times} times" for each, times in Counter(seen).items()]


def _growing(target: Target, run: Callable[[int], Callable[[], None]], text: str) -> Failure | None:
    """Say how many memory blocks stay of each call, the least of some rounds."""
    growths = [target.watch(lambda: _growth(run), seconds=_FLOW_SECONDS).value for _ in range(_ROUNDS)]
    growth = min((each for each in growths if each is not None), default=0.0)
    if growth < _GROWTH:
        return None
    work = (f"sys.getallocatedblocks() after {_MEASURED} calls less before them / {_MEASURED} = {growth:.1f}",)
    return Failure("4.2.3", text, f"{max(round(growth), 1)} memory blocks more a call", "no growth once warm", work)


def _growth(run: Callable[[int], Callable[[], None]]) -> float:
    run(_WARM)()
    gc.collect()
    before = sys.getallocatedblocks()
    run(_MEASURED)()
    gc.collect()
    return (sys.getallocatedblocks() - before) / _MEASURED
