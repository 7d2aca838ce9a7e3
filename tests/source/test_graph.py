"""Calls are followed through imports, objects, overrides and what is passed on; what leaves the path is not."""

from __future__ import annotations

import pytest
from source.reviewed import graph_of, tree_of

from mmverify.source.graph import Graph


def reached(graph: Graph, entry: str) -> set[str]:
    found = graph.find(entry)
    assert found, entry
    return {each.function.called for each in graph.reached(found)} - {each.called for each in found}


def outside(graph: Graph, entry: str) -> set[str]:
    (function,) = graph.find(entry)
    return {name for call in graph.calls(function) for name in call.outside}


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import prices", "prices.fair()"),
        ("import prices as p", "p.fair()"),
        ("from prices import fair", "fair()"),
        ("from prices import fair as value", "value()"),
        ("from prices import fair\nalias = fair", "alias()"),
        ("import prices", "later = prices.fair\n    later()"),
    ],
)
def test_a_function_is_found_through_imports_and_aliases(imports: str, call: str) -> None:
    graph = graph_of(engine=f"{imports}\ndef hot():\n    {call}\n", prices="def fair():\n    return 1\n")
    assert reached(graph, "engine:hot") == {"fair"}


def test_a_relative_import_and_a_package_that_hands_a_name_on_are_followed() -> None:
    tree = tree_of({
        "bot/__init__.py": "from .prices import fair\n",
        "bot/prices.py": "def fair():\n    return 1\n",
        "bot/engine.py": "from . import fair\ndef hot():\n    fair()\n",
    })  # fmt: skip
    assert reached(Graph(tree), "bot.engine:hot") == {"fair"}


def test_a_module_below_a_source_folder_is_found_by_its_own_name() -> None:
    tree = tree_of({
        "src/bot/prices.py": "def fair():\n    return 1\n",
        "src/bot/engine.py": "from bot.prices import fair\ndef hot():\n    fair()\n",
    })  # fmt: skip
    assert reached(Graph(tree), "bot.engine:hot") == {"fair"}


BOOK = "class Book:\n    def __init__(self):\n        self.n = 0\n    def apply(self):\n        return self.n\n"


@pytest.mark.parametrize(
    "engine",
    [
        "def __init__(self, book: Book):\n        self.book = book\n",
        "def __init__(self, book: Book | None):\n        self.book = book\n",
        "def __init__(self):\n        self.book = Book()\n",
        "book: Book\n",
        "def __init__(self, book):\n        self.book = book\n",
    ],
    ids=["typed parameter", "optional", "made", "declared field", "given by the caller"],
)
def test_a_method_of_an_injected_object_is_found(engine: str) -> None:
    code = (
        f"from book import Book\nclass Engine:\n    {engine}    def hot(self):\n        self.book.apply()\n"
        "def main():\n    return Engine(Book())\n"
    )
    assert reached(graph_of(engine=code, book=BOOK), "engine:Engine.hot") == {"Book.apply"}


def test_every_override_of_a_method_may_be_called() -> None:
    code = (
        "class Feed:\n    def next(self):\n        raise NotImplementedError\n"
        "class File(Feed):\n    def next(self):\n        return 1\n"
        "class Wire(Feed):\n    def next(self):\n        return 2\n"
        "class Other:\n    def next(self):\n        return 3\n"
        "def hot(feed: Feed):\n    return feed.next()\n"
    )
    assert reached(graph_of(engine=code), "engine:hot") == {"Feed.next", "File.next", "Wire.next"}


def test_an_inherited_method_and_super_lead_to_the_base() -> None:
    code = (
        "class Base:\n    def step(self):\n        return 1\n    def end(self):\n        return 1\n"
        "class Own(Base):\n    def end(self):\n        return super().end()\n"
        "def hot(own: Own):\n    own.step()\n    own.end()\n"
    )
    assert reached(graph_of(engine=code), "engine:hot") == {"Base.step", "Own.end", "Base.end"}


def test_super_leads_to_no_class_below() -> None:
    code = (
        "class Base:\n    def open(self):\n        return 1\n"
        "class Own(Base):\n    def open(self):\n        return super().open()\n"
        "def hot(own: Own):\n    own.open()\n"
    )
    graph = graph_of(engine=code)
    assert reached(graph, "engine:hot") == {"Own.open", "Base.open"}
    assert graph.ring(*graph.find("engine:Own.open")) == ()


def test_an_inherited_method_of_a_library_is_of_the_library() -> None:
    code = "from logging import Logger\nclass Log(Logger):\n    x = 1\ndef hot(log: Log):\n    log.info('a')\n"
    assert outside(graph_of(engine=code), "engine:hot") == {"logging.Logger.info"}


def test_what_a_test_defines_is_not_reached() -> None:
    tree = tree_of({
        "bot/engine.py": "class Feed:\n    def next(self):\n        return 1\ndef hot(feed: Feed):\n    feed.next()\n",
        "tests/test_feed.py": "from bot.engine import Feed\nclass Fake(Feed):\n    def next(self):\n        return 1\n",
    })  # fmt: skip
    assert reached(Graph(tree), "bot.engine:hot") == {"Feed.next"}


def test_a_property_is_a_call() -> None:
    book = "class Book:\n    @property\n    def best(self):\n        return 1\n"
    code = f"{book}def hot(book: Book):\n    return book.best\n"
    assert reached(graph_of(engine=code), "engine:hot") == {"Book.best"}


def test_a_callback_is_called_by_whoever_is_given_it() -> None:
    code = (
        "def note():\n    return 1\n"
        "def each(rows, then):\n    for row in rows:\n        then()\n"
        "def hot(rows):\n    each(rows, note)\n"
    )
    assert reached(graph_of(engine=code), "engine:hot") == {"each", "note"}


@pytest.mark.parametrize(
    "handed",
    [
        "Thread(target=slow).start()", "Thread(target=lambda: slow()).start()", "pool.submit(slow)",
        "asyncio.create_task(slow())", "asyncio.ensure_future(slow())", "loop.run_in_executor(None, slow)",
    ],
)  # fmt: skip
def test_what_is_handed_to_another_thread_or_task_is_not_on_the_path(handed: str) -> None:
    code = (
        f"import asyncio\nfrom threading import Thread\ndef slow():\n    return 1\ndef hot(pool, loop):\n    {handed}\n"
    )
    assert reached(graph_of(engine=code), "engine:hot") == set()


def test_a_lambda_that_is_called_here_is_on_the_path() -> None:
    code = "def low(row):\n    return row\ndef hot(rows):\n    return min(rows, key=lambda row: low(row))\n"
    assert reached(graph_of(engine=code), "engine:hot") == {"low"}


def test_a_name_of_the_tree_is_not_the_one_of_the_library() -> None:
    code = "def sleep(n):\n    return n\ndef hot():\n    sleep(1)\n"
    graph = graph_of(engine=code)
    assert outside(graph, "engine:hot") == set()
    graph = graph_of(engine="from time import sleep\ndef hot():\n    sleep(1)\n")
    assert outside(graph, "engine:hot") == {"time.sleep"}


def test_a_chain_is_the_shortest_one_and_a_ring_comes_back() -> None:
    code = "def hot():\n    a()\n    c()\ndef a():\n    b()\ndef b():\n    c()\ndef c():\n    a()\n"
    graph = graph_of(engine=code)
    chains = {each.function.called: each.words for each in graph.reached(graph.find("engine:hot"))}
    assert chains["c"] == "hot -> c"
    (a,) = graph.find("engine:a")
    assert [each.called for each in graph.ring(a)] == ["a", "b", "c"]
    assert graph.ring(*graph.find("engine:hot")) == ()


def test_a_call_that_cannot_be_resolved_is_listed() -> None:
    code = (
        "class A:\n    def step(self):\n        return 1\nclass B:\n    def step(self):\n        return 1\n"
        "def hot(thing):\n    thing.step()\n"
    )
    graph = graph_of(engine=code)
    assert graph.unresolved(graph.reached(graph.find("engine:hot"))) == ["engine.py:8 thing.step"]


@pytest.mark.parametrize("name", ["engine:gone", "gone:hot", "engine:Engine.hot"])
def test_a_name_that_is_not_there_is_not_found(name: str) -> None:
    assert graph_of(engine="def hot():\n    return 1\n").find(name) == []


# --- C++ --------------------------------------------------------------------------------------------------------------

HEADER = """
namespace md {
class Feed { public: virtual int next() = 0; };
class Wire : public Feed { public: int next() override { return wire(); } int wire() { return 1; } };
class Engine {
 public:
  explicit Engine(Feed& feed) : feed_(feed) {}
  void hot();
 private:
  int step(int n) { return n; }
  Feed& feed_;
  std::unique_ptr<Book> book_;
};
}
"""
BODY = """
#include "engine.hpp"
namespace md {
void Engine::hot() {
  feed_.next();
  step(1);
  book_->apply();
  md::helper();
  std::thread([] { slow(); }).detach();
}
void helper() {}
void slow() {}
}
"""


def test_a_class_of_a_header_and_its_body_are_one() -> None:
    book = "struct Book { void apply() { sort(); } void sort() {} };\n"
    graph = Graph(tree_of({"src/engine.cpp": BODY, "src/engine.hpp": HEADER, "src/book.hpp": book}))
    wanted = {"Wire::next", "Wire::wire", "Engine::step", "Book::apply", "Book::sort", "helper"}
    assert reached(graph, "src/engine.cpp:Engine::hot") == wanted
    assert reached(graph, "src/engine.hpp:md::Engine::hot") == wanted


def test_namespaces_and_using_stand_for_what_they_name() -> None:
    code = (
        "namespace chr = std::chrono;\nusing std::this_thread::sleep_for;\n"
        "void hot() { sleep_for(chr::milliseconds(1)); }\n"
    )
    names = outside(Graph(tree_of({"a.cpp": code})), "a.cpp:hot")
    assert names == {"std.this_thread.sleep_for", "std.chrono.milliseconds"}


# --- Rust -------------------------------------------------------------------------------------------------------------

RUST = {
    "src/feed.rs": (
        "pub trait Feed { fn next(&mut self) -> u32; }\npub struct Wire;\n"
        "impl Feed for Wire { fn next(&mut self) -> u32 { read() } }\nfn read() -> u32 { 1 }\n"
    ),
    "src/engine.rs": (
        "use crate::feed::Feed;\nuse std::thread::{self, sleep as nap};\n"
        "pub struct Engine { feed: Box<dyn Feed> }\n"
        "impl Engine {\n"
        "    pub fn hot(&mut self) {\n        self.feed.next();\n        Self::step();\n        nap(d);\n"
        "        thread::spawn(|| Self::slow());\n    }\n"
        "    fn step() {}\n    fn slow() {}\n}\n"
    ),
}


def test_traits_paths_and_uses_of_rust_are_followed() -> None:
    graph = Graph(tree_of(RUST))
    assert reached(graph, "src/engine.rs:Engine::hot") == {"Wire::next", "read", "Engine::step"}
    assert "std.thread.sleep" in outside(graph, "src/engine.rs:Engine::hot")


def test_a_variable_of_rust_is_not_the_function_of_its_name() -> None:
    code = (
        "fn order() {}\nfn fair() {}\nfn each(f: fn()) {}\n"
        "fn hot(rows: &[u32], fair: u32) {\n"
        "    rows.iter().filter(|order| keep(order));\n    use_it(fair);\n    each(note);\n}\nfn note() {}\n"
    )
    assert reached(Graph(tree_of({"a.rs": code})), "a.rs:hot") == {"each", "note"}


@pytest.mark.parametrize(
    ("uses", "call", "found"),
    [
        ("", "fair()", set()),
        ("use crate::prices::fair;", "fair()", {"fair"}),
        ("use crate::prices::*;", "fair()", {"fair"}),
        ("use crate::prices;", "prices::fair()", {"fair"}),
        ("use crate::prices as p;", "p::fair()", {"fair"}),
        ("use crate::other;", "other::fair()", set()),
    ],
)
def test_a_function_of_rust_is_found_where_it_is_in_scope(uses: str, call: str, found: set[str]) -> None:
    own = f"{uses}\nfn hot() {{ {call}; }}\n"
    files = {"src/prices.rs": "pub fn fair() {}\n", "src/other.rs": "\n", "src/a.rs": own}
    assert reached(Graph(tree_of(files)), "src/a.rs:hot") == found


def test_a_method_of_the_type_goes_before_the_one_of_a_trait() -> None:
    code = (
        "struct Bot;\nimpl Bot { fn send(&self, n: u32) { wire(); } }\n"
        "impl Sends for Bot { fn send(&self) { self.send(1); } }\nfn wire() {}\n"
        "fn hot(bot: &Bot) { bot.send(1); }\n"
    )
    graph = Graph(tree_of({"a.rs": code}))
    assert reached(graph, "a.rs:hot") == {"Bot::send", "wire"}
    assert all(graph.ring(each) == () for each in graph.find("a.rs:Bot::send"))
