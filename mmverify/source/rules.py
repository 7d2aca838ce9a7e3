"""Rules on code, one file each: what a fault looks like in each language, with snippets that show it and do not."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmverify.source.graph import Call, Graph, Reached
from mmverify.source.symbols import CALL, Function, matching
from mmverify.source.tree import File

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_FOLDER = Path(__file__).parent / "rules"
_SHOWN = 120  # letters of a line of code


@dataclass(frozen=True)
class Pattern:
    """What a rule looks for in one language.

    Attributes
    ----------
    calls : tuple of str
        Full names of what is called, with ``*``: ``time.sleep``, ``socket.*``, ``println!``; ``?.acquire`` is the
        method of an object that the tree says nothing of; ``datetime.now()`` is called without arguments,
        ``datetime.fromtimestamp(_)`` with one.
    nodes : tuple of mapping
        Rules of ast-grep.
    bad, good : tuple of str
        Code that has the fault, and code that looks like it and has not.
    """

    calls: tuple[str, ...]
    nodes: tuple[Any, ...]
    bad: tuple[str, ...]
    good: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A fault of code.

    Attributes
    ----------
    id, item : str
        The name of its file, and the item that it violates.
    scope : {"hot_path", "code"}
        Where it is a fault: in what the hot path reaches, or anywhere.
    message, fix, cost : str
        What the code does, what to do in its place, and what it costs.
    patterns : mapping of str to Pattern
        By language.
    unless : str
        A regular expression: where any code of the tree holds it, this is no fault.
    holds : str
        A regular expression that every file with the fault holds, where there is one.
    """

    id: str
    item: str
    scope: str
    message: str
    fix: str
    cost: str
    patterns: Mapping[str, Pattern]
    unless: str = ""
    holds: str = ""


@dataclass(frozen=True, eq=False)
class Hit:
    """A place that has a fault: the line, the code there, the function, and the chain of calls that reaches it."""

    rule: Rule
    function: Function
    line: int
    code: str
    chain: str

    @property
    def at(self) -> str:
        """The place."""
        return self.function.file.at(self.line)


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of the folder, by name."""
    return tuple(read_rule(path.stem, path.read_text(encoding="utf-8")) for path in sorted(_FOLDER.glob("*.toml")))


def read_rule(id: str, text: str) -> Rule:
    """Read a rule from TOML."""
    data = tomllib.loads(text)
    languages = {name: data.pop(name) for name in CALL if name in data}
    patterns = {
        name: Pattern(
            tuple(each.get("calls", ())), tuple(each.get("nodes", ())), tuple(each["bad"]), tuple(each["good"])
        )
        for name, each in languages.items()
    }
    return Rule(id=id, patterns=patterns, **data)


def on_path(rule: Rule, graph: Graph, reached: Iterable[Reached]) -> list[Hit]:
    """Return where the functions that the hot path reaches have a fault."""
    if _excused(rule, graph):
        return []
    return [
        Hit(rule, each.function, line, _line(each.function, line), each.words)
        for each in reached
        if each.function.file.language in rule.patterns
        for line in sorted(set(_found(rule.patterns[each.function.file.language], graph, each.function)))
    ]


def anywhere(rule: Rule, graph: Graph, functions: Iterable[Function]) -> list[Hit]:
    """Return where functions have a fault, the code outside of functions among them; a file is searched at once."""
    own: dict[File, list[Function]] = {}
    for function in functions:
        if function.file.language in rule.patterns:
            own.setdefault(function.file, []).append(function)
    return [
        Hit(rule, function, line, _line(function, line), "")
        for file, within in own.items()
        if not rule.holds or re.search(rule.holds, file.text)
        for line, function in _in_file(rule.patterns[file.language], graph, file, within)
        if not file.is_test(line)
    ]


def _in_file(pattern: Pattern, graph: Graph, file: File, within: list[Function]) -> list[tuple[int, Function]]:
    found, innermost = set[int](), dict[int, Function]()
    nodes = list(file.root.find_all({"rule": {"any": list(pattern.nodes)}})) if pattern.nodes else []
    calls = list(_calls(pattern, graph, file))
    if nodes or calls:
        innermost = {line: each for each in sorted(within, key=_length, reverse=True) for line in _span(each)}
    found.update(node.range().start.line + 1 for node in nodes)
    for node in calls:
        line = node.range().start.line + 1
        if line in innermost and _is_of(pattern, graph.call(innermost[line], node)):
            found.add(line)
    return [(line, innermost[line]) for line in sorted(found) if line in innermost]


def _calls(pattern: Pattern, graph: Graph, file: File) -> Iterator[SgNode]:
    """Yield the calls of a file whose last name is one that the pattern looks for."""
    if (ends := _ends(pattern, graph, file)) is not None:
        for node in file.root.find_all({"rule": {"any": [{"kind": kind} for kind in CALL[file.language]]}}):
            told = node.field("function") or node.field("macro")
            if told is not None and ends.search(told.text()):
                yield node


def _is_of(pattern: Pattern, call: Call) -> bool:
    """Say whether a call is one that the pattern looks for."""
    for wanted in pattern.calls:
        name, bracket, shape = wanted.partition("(")
        if any(fnmatchcase(outside, name) for outside in call.outside):
            arguments = call.node.field("arguments") if bracket else None
            given = [each for each in arguments.children() if each.is_named()] if arguments is not None else []
            if not bracket or len(given) == (shape == "_)"):
                return True
    return False


def _length(function: Function) -> int:
    return len(_span(function))


def _span(function: Function) -> range:
    place = function.node.range()
    return range(place.start.line + 1, place.end.line + 2)


def _ends(pattern: Pattern, graph: Graph, file: File) -> re.Pattern[str] | None:
    """Return what the text of a callee ends in, aliases of the file among it; None if nothing of it is in the file."""
    words = {re.split(r"[.?]+", call.partition("(")[0].rstrip("!*."))[-1] for call in pattern.calls}
    aliases = graph.known.aliases.get(file.path, {})
    words = {word for word in words if word in file.text}
    words |= {alias for alias, full in aliases.items() if full.rpartition(".")[2] in words}
    return re.compile(rf"(^|\b)({'|'.join(map(re.escape, sorted(words)))})!?$") if words else None


def _excused(rule: Rule, graph: Graph) -> bool:
    return bool(rule.unless) and any(re.search(rule.unless, file.text) for file in graph.tree.code)


def _found(pattern: Pattern, graph: Graph, function: Function) -> Iterator[int]:
    if pattern.calls:
        for call in graph.calls(function):
            if _is_of(pattern, call):
                yield call.line
    for rule in pattern.nodes:
        yield from (node.range().start.line + 1 for node in matching(function, rule))


def _line(function: Function, line: int) -> str:
    text = function.file.lines[line - 1].strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
