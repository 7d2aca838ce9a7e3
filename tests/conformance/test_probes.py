"""Ids of a fresh process, and what the hot path logs as the bot sets it up."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mmverify.conformance import probes
from mmverify.conformance.run import conform
from mmverify.conformance.target import load

HEAD = "import io, logging, queue, uuid\nfrom itertools import count\nfrom logging.handlers import QueueHandler\n"
COUNTED = "numbers = count()\ndef order_id(): return f'bot-{next(numbers)}'\n"
UNIQUE = "def order_id(): return uuid.uuid4()\n"
NOT_JUDGED = "order_id: a fresh process gives no ids of this target, so that a restart was not judged"
LOGGING = "{}\nlog = logging.getLogger('bot.book')\ndef on_book_update(update): log.{}('seq %s', update['seq'])\n"
HANDLER = "logging.getLogger('bot').addHandler(logging.StreamHandler(io.StringIO()))"
QUEUE = "logging.getLogger('bot').addHandler(QueueHandler(queue.SimpleQueue()))"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "adapter.py"
        path.write_text(HEAD + text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what a target sets up."""
    root, bot = logging.getLogger(), logging.getLogger("bot")
    level, handlers = root.level, [*root.handlers]
    yield
    root.setLevel(level)
    root.handlers[:], bot.handlers[:] = handlers, []
    bot.setLevel(logging.NOTSET)


def ids(target: str) -> tuple[int, list[str], tuple[str, ...]]:
    (result,) = conform(target, names=["order_id"])
    assert not result.error
    return result.looked.exercised, [breach.was for breach in result.looked.breaches], result.looked.notes


def test_ids_of_a_file_are_judged_across_processes(write, tmp_path: Path, monkeypatch) -> None:
    assert ids(write(UNIQUE)) == (1, [], ())
    was = "order_id() was 'bot-0' again, 200 calls each of two processes, one after the other"
    assert ids(write(COUNTED)) == (1, [was], ())
    monkeypatch.chdir(tmp_path)
    assert ids("adapter.py") == (1, [was], ())


def test_an_id_given_twice_by_one_process_is_seen(write) -> None:
    was = "order_id() was 'bot' again, within 2000 calls of one process"
    assert ids(write("def order_id(): return 'bot'")) == (1, [was], ())


def test_a_module_of_a_folder_that_only_this_process_knows_is_judged(write, tmp_path: Path, monkeypatch) -> None:
    write(UNIQUE)
    (tmp_path / "adapter.py").rename(tmp_path / "adapter_of_ids.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert ids("adapter_of_ids") == (1, [], ())


def test_ids_of_what_a_fresh_process_cannot_load_are_not_assessed(write, monkeypatch) -> None:
    module = ModuleType("only_in_this_process")
    exec(HEAD + COUNTED, vars(module))
    monkeypatch.setitem(sys.modules, "only_in_this_process", module)
    assert ids("only_in_this_process") == (0, [], (NOT_JUDGED,))
    assert ids(write(f"{UNIQUE}if 'pytest' not in __import__('sys').modules: raise SystemExit")) == (
        0,
        [],
        (NOT_JUDGED,),
    )


@pytest.mark.parametrize(
    ("setup", "call", "logs"),
    [
        ("", "info", True),  # nothing is set up: what production logs is at INFO
        ("", "debug", False),
        ("logging.getLogger('bot').setLevel(logging.WARNING)", "info", False),
        ("logging.getLogger('bot').setLevel(logging.DEBUG)", "debug", True),
        (HANDLER, "info", False),
        (HANDLER, "warning", True),
        (f"{HANDLER}; logging.getLogger('bot').setLevel(logging.INFO)", "info", True),
        ("logging.getLogger().setLevel(logging.ERROR)", "warning", False),
        ("logging.getLogger().addHandler(logging.StreamHandler(io.StringIO()))", "info", False),
        (QUEUE, "warning", False),
        ("logging.getLogger('bot').addHandler(logging.NullHandler())", "info", True),
    ],
)
def test_logging_is_seen_as_the_bot_sets_it_up(write, own_logging, setup: str, call: str, logs: bool) -> None:
    root = logging.getLogger()
    target = load(write(LOGGING.format(setup, call)), ["on_book_update"])
    level = root.level
    seen = probes.book_update(target, {"item": "4.2.5"})
    assert seen.exercised == ("4.2.5",)
    assert (seen.failure is not None) is logs
    assert root.level == level
    if seen.failure:
        assert seen.failure.was == "a log record of 'bot.book'"
        assert seen.failure.work == ("of 20 calls after 301 others: a log record of 'bot.book' 20 times",)


@pytest.mark.parametrize(
    ("body", "item", "was"),
    [
        ("open('/dev/null').close()", "4.2.2", "open('/dev/null')"),
        ("__import__('time').sleep(0)", "4.2.2", "time.sleep"),
        ("print(update['seq'])", "4.2.5", "print to the console"),
        ("kept.append(update)", "4.2.3", "memory blocks more a call"),
        ("kept[:] = [update]", "", ""),
    ],
)
def test_what_an_update_costs_is_seen(write, body: str, item: str, was: str) -> None:
    results = conform(write(f"kept = []\ndef on_book_update(update):\n    {body}\n"))
    failed = {result.item: result.looked.breaches[0].was for result in results if result.looked.breaches}
    assert list(failed) == ([item] if item else [])
    assert all(was in words for words in failed.values())
    assert [result.looked.exercised for result in results] == [1, 1, 1]
