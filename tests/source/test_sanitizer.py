"""Reports of RealtimeSanitizer, handed in beside the source of a compiled bot."""

from __future__ import annotations

from pathlib import Path

from mmverify.checks.s4_2_hot_path import sanitizer_allocations, sanitizer_calls
from mmverify.source.evidence import open_source

REPORT = """\
starting
==283082==ERROR: RealtimeSanitizer: unsafe-library-call
Intercepted call to real-time unsafe function `malloc` in real-time context!
    #0 0x55c0c3be8cf2 in malloc /llvm/compiler-rt/lib/rtsan/rtsan_interceptors_posix.cpp:470:34
    #1 0x55c0c3be4e69 in operator new(unsigned long) (/lib/libc++abi.so+0x16bd0)
    #2 0x55c0c3be4e70 in md::Engine::on_book_update(md::Update const&) /builds/17/bot/src/engine.cpp:12:9
    #3 0x55c0c3be4e99 in main /builds/17/bot/src/main.cpp:30:5
SUMMARY: RealtimeSanitizer: unsafe-library-call
==283083==ERROR: RealtimeSanitizer: unsafe-library-call
Intercepted call to real-time unsafe function `pthread_mutex_lock` in real-time context!
    #0 0x55c0c3be8cf2 in pthread_mutex_lock /llvm/compiler-rt/lib/rtsan/rtsan_interceptors_posix.cpp:900:3
    #1 0x55c0c3be4e70 in md::Book::apply() /builds/17/bot/src/book.cpp:8:9
==283084==ERROR: RealtimeSanitizer: blocking-call
Call to blocking function `wait_for_feed` in real-time context!
    #0 0x55c0c3be4e70 in wait_for_feed /builds/17/other/feed.cpp:3:1
"""


def tree(folder: Path, report: str) -> Path:
    (folder / "src").mkdir(parents=True)
    for name in ("engine", "book", "main"):
        (folder / f"src/{name}.cpp").write_text("void f() {}\n")
    (folder / "rtsan.log").write_text(report)
    (folder / "review.toml").write_text('[source]\nreports = ["rtsan.log"]\n')
    return folder


def test_an_allocation_is_found_where_the_trees_own_code_makes_it(tmp_path: Path) -> None:
    looked = sanitizer_allocations(open_source(tree(tmp_path / "bot", REPORT)))
    (breach,) = looked.breaches
    assert (looked.exercised, breach.was, breach.where) == (1, "malloc", ("src/engine.cpp:12", "rtsan.log:2"))
    assert breach.work == (
        "rtsan.log:2: RealtimeSanitizer stopped at `malloc`",
        "src/engine.cpp:12 in md::Engine::on_book_update(md::Update const&)",
        "src/main.cpp:30 in main",
    )


def test_what_waits_is_of_the_other_item_and_a_frame_of_no_file_of_the_tree_keeps_the_reports_place(
    tmp_path: Path,
) -> None:
    looked = sanitizer_calls(open_source(tree(tmp_path / "bot", REPORT)))
    assert [(breach.was, breach.where[0]) for breach in looked.breaches] == [
        ("pthread_mutex_lock", "src/book.cpp:8"), ("wait_for_feed", "rtsan.log:13"),
    ]  # fmt: skip


def test_a_report_without_an_error_exercises_and_shows_nothing(tmp_path: Path) -> None:
    looked = sanitizer_calls(open_source(tree(tmp_path / "bot", "starting\nstopped\n")))
    assert (looked.exercised, looked.breaches) == (1, ())


def test_no_report_exercises_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert sanitizer_calls(open_source(tmp_path)).exercised == 0
