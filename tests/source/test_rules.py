"""Every rule's own snippets: the bad ones have the fault, the good ones look like it and have not."""

from __future__ import annotations

import pytest
from source.reviewed import ENDS, tree_of

from mmverify.checks import items
from mmverify.source.graph import Graph
from mmverify.source.rules import Hit, Rule, anywhere, on_path, read_rule, rules

SNIPPETS = [
    pytest.param(rule, language, code, kind == "bad", id=f"{rule.id}-{language}-{kind}-{n}")
    for rule in rules()
    for language, pattern in rule.patterns.items()
    for kind, snippets in (("bad", pattern.bad), ("good", pattern.good))
    for n, code in enumerate(snippets)
]


def hits(rule: Rule, path: str, code: str) -> list[Hit]:
    """Return where a file has a fault; the hot path of a rule that has one begins at ``hot``."""
    graph = Graph(tree_of({path: code}))
    if rule.scope == "code":
        return anywhere(rule, graph, graph.known.functions)
    entries = [each for each in graph.known.functions if each.short == "hot"] or graph.known.functions
    return on_path(rule, graph, graph.reached(entries))


@pytest.mark.parametrize(("rule", "language", "code", "bad"), SNIPPETS)
def test_a_bad_snippet_is_found_and_a_good_one_is_not(rule: Rule, language: str, code: str, bad: bool) -> None:
    assert bool(hits(rule, f"bot{ENDS[language]}", code)) is bad


def test_every_rule_is_of_an_item_and_has_both_kinds_of_snippets() -> None:
    assert len(rules()) >= 15
    for rule in rules():
        assert rule.item in items()
        assert rule.scope in ("hot_path", "code")
        assert rule.patterns
        for pattern in rule.patterns.values():
            assert pattern.bad and pattern.good and (pattern.calls or pattern.nodes)


def test_a_hit_says_where_and_by_which_chain() -> None:
    rule = next(each for each in rules() if each.id == "blocking-sleep")
    (hit,) = hits(rule, "bot.py", "import time\n\ndef hot():\n    step()\n\ndef step():\n    time.sleep(1)\n")
    assert (hit.at, hit.code, hit.chain) == ("bot.py:7", "time.sleep(1)", "hot -> step")


RULE = """
item = "4.1.1"
scope = "code"
message = "m"
fix = "f"
cost = "c"
[python]
calls = ["clock.now()", "clock.at(_)"]
bad = ["x"]
good = ["y"]
"""


def test_a_call_may_be_told_by_how_many_arguments_it_has() -> None:
    code = "import clock\nclock.now()\nclock.now(1)\nclock.at()\nclock.at(1)\nclock.at(1, 2)\n"
    assert [hit.line for hit in hits(read_rule("r", RULE), "bot.py", code)] == [2, 5]


@pytest.mark.parametrize("path", ["tests/clocks.py", "bot/test_clocks.py", "benches/clocks.py", "conftest.py"])
def test_the_code_of_tests_is_not_the_bot(path: str) -> None:
    assert hits(read_rule("r", RULE), path, "import clock\nclock.now()\n") == []
    assert len(hits(read_rule("r", RULE), "bot/contests.py", "import clock\nclock.now()\n")) == 1
