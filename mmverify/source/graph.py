"""What a function calls, and what the hot path reaches.

A call is followed through imports and aliases, through methods of injected objects, to every override of a method, and
through functions that are passed on or kept in a field. What cannot be resolved and might be of the tree is listed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mmverify.source.bindings import bound
from mmverify.source.imports import dotted, module_of
from mmverify.source.names import MEMBER, Names, Value
from mmverify.source.symbols import CALL, MODULE, Function, nodes_of
from mmverify.source.tree import File, Tree

if TYPE_CHECKING:
    from ast_grep_py import SgNode

#: Nodes that may name a function which is handed on.
_NAMED = {
    "python": ("attribute", "identifier"),
    "cpp": ("identifier", "qualified_identifier"),
    "rust": ("identifier", "scoped_identifier"),
}
_CLOSURES = ("lambda", "lambda_expression", "closure_expression")
#: What hands a function to another thread, task or process: not called on the path that hands it over.
_HANDED = (
    "Thread", "Process", "Timer", "submit", "run_in_executor", "call_soon", "call_later", "async", "thread", "jthread",
    "put", "put_nowait", "push", "send",
)  # fmt: skip
#: What runs a call that stands in it later, in another task.
_SCHEDULED = ("create_task", "ensure_future", "run_coroutine_threadsafe", "spawn")


@dataclass(frozen=True, eq=False)
class Call:
    """A call in a function.

    Attributes
    ----------
    line : int
    text : str
        What is called, as written.
    to : tuple of Function
        The functions of the tree that it may reach.
    outside : tuple of str
        The names from outside of the tree that it may be of.
    node : SgNode
    guessed : bool
        It is of an unknown object, and `to` is the only method of that name.
    """

    line: int
    text: str
    to: tuple[Function, ...]
    outside: tuple[str, ...]
    node: SgNode
    guessed: bool = False


@dataclass(frozen=True, eq=False)
class Reached:
    """A function on the hot path, and the chain of calls that reaches it, the entry first."""

    function: Function
    chain: tuple[Function, ...]

    @property
    def words(self) -> str:
        """The chain as text."""
        return " -> ".join(each.called for each in self.chain)


class Graph:
    """Resolves the calls of a tree's functions, each once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.names = Names(tree)
        self.known = self.names.known
        self._calls: dict[Function, tuple[Call, ...]] = {}

    # --- from the hot path on -----------------------------------------------------------------------------------------

    def find(self, name: str) -> list[Function]:
        """Return the functions of a name as review.toml writes it."""
        exact = [each for each in self.known.functions if each.name == name]
        if exact:
            return exact
        place, _, own = name.partition(":")
        wanted = dotted(own).split(".")
        return [
            each for each in self.known.functions
            if self._is_named(each, wanted) and (place in ("", each.file.path) or self._near(place, each.file))
        ]  # fmt: skip

    def _is_named(self, function: Function, wanted: list[str]) -> bool:
        """Say whether a function goes by the parts of a name, with namespaces before it or without its class."""
        own = dotted(function.called).split(".")
        both = min(len(own), len(wanted))
        before = wanted[:-both]
        return own[-both:] == wanted[-both:] and (
            not before or (function.file.language != "python" and self.known.spaces.issuperset(before))
        )

    def _near(self, place: str, file: File) -> bool:
        """Say whether a file is the module of a name below a source folder, or the body of a header."""
        if file.language == "python":
            return f".{module_of(file)}".endswith(f".{place}")
        return file.path.rpartition(".")[0].rpartition("/")[2] == place.rpartition(".")[0].rpartition("/")[2]

    def reached(self, entries: Iterable[Function]) -> list[Reached]:
        """Return every function that may be called from the entries, each with a shortest chain to it."""
        first = [Reached(each, (each,)) for each in entries]
        seen, queue, out = {each.function for each in first}, deque(first), []
        while queue:
            here = queue.popleft()
            out.append(here)
            for call in self.calls(here.function):
                for function in call.to:
                    if function not in seen:
                        seen.add(function)
                        queue.append(Reached(function, (*here.chain, function)))
        return out

    def ring(self, start: Function) -> tuple[Function, ...]:
        """Return a shortest ring of calls from a function back to it, of sure calls alone; empty if there is none."""
        seen = set[Function]()
        queue: deque[tuple[Function, ...]] = deque([(start,)])
        while queue:
            chain = queue.popleft()
            for call in self.calls(chain[-1]):
                for function in () if call.guessed else call.to:
                    if function is start:
                        return chain
                    if function not in seen:
                        seen.add(function)
                        queue.append((*chain, function))
        return ()

    def unresolved(self, reached: Iterable[Reached]) -> list[str]:
        """List the calls on the path that resolve to nothing and might be of the tree, ``file:line text``."""
        return [
            f"{each.function.file.at(call.line)} {call.text}"
            for each in reached
            for call in self.calls(each.function)
            if not call.to and not call.outside and call.text.rpartition(".")[2] in self._shorts
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def calls(self, function: Function) -> tuple[Call, ...]:
        """Return the calls in a function, and the functions that it hands on, in order of lines."""
        if function not in self._calls:
            self._calls[function] = ()
            found = [*self._called(function), *self._passed(function)]
            self._calls[function] = tuple(sorted(found, key=lambda call: call.line))
        return self._calls[function]

    def call(self, function: Function, node: SgNode) -> Call:
        """Resolve one call of a function."""
        if node.kind() == "macro_invocation":
            macro = node.field("macro")
            name = dotted(macro.text()) if macro is not None else ""
            return Call(node.range().start.line + 1, f"{name}!", (), (f"{name}!",), node)
        callee = node.field("function")
        text = dotted(callee.text()) if callee is not None else ""
        value = self.names.look(function, callee) if callee is not None else Value()
        to = [*value.functions, *(made for each in value.classes for made in self.names.constructors(each))]
        outside = value.outside or (["?." + text.rpartition(".")[2]] if not value and not self._may_be(text) else [])
        return Call(node.range().start.line + 1, text, tuple(dict.fromkeys(to)), tuple(outside), node)

    def _called(self, function: Function) -> Iterator[Call]:
        for node in nodes_of(function, CALL[function.file.language]):
            if self._is_handed(node, False):
                continue
            call = self.call(function, node)
            if not call.to and not call.outside and len(only := self._by_name(function, call.text)) == 1:
                call = Call(call.line, call.text, tuple(only), (), node, guessed=True)
            yield call
        for node in nodes_of(function, ("with_item",)) if function.file.language == "python" else ():
            yield self.entered(function, node)

    def entered(self, function: Function, node: SgNode) -> Call:
        """Resolve what a ``with`` statement of Python enters."""
        told = node.field("value")
        value = self.names.look(function, told) if told is not None else Value()
        to = [each for own in value.classes for each in own.methods.get("__enter__", ())]
        outside = tuple(f"{name}.__enter__" for name in value.outside)
        return Call(node.range().start.line + 1, node.text(), tuple(to), outside, node)

    def _passed(self, function: Function) -> Iterator[Call]:
        """Yield the functions of the tree that are named without being called, properties among them."""
        for node in nodes_of(function, _NAMED[function.file.language]):
            parent = node.parent()
            if parent is None or not node.is_named() or self._is_called(node, parent) or self._is_handed(node, True):
                continue
            if node.text().rpartition(".")[2].rpartition(":")[2] not in self._shorts:
                continue
            plain = node.kind() == "identifier" and function.file.language != "python"
            if plain and node.text() in bound(function):
                continue
            value = self.names.look(function, node)
            if value.functions and not (plain and len(value.functions) > 1):
                yield Call(node.range().start.line + 1, dotted(node.text()), tuple(value.functions), (), node)

    @staticmethod
    def _is_called(node: SgNode, parent: SgNode) -> bool:
        """Say whether a node is the callee of a call, a part of a longer name, or the name that is defined."""
        if parent.kind() in MEMBER and node.kind() not in MEMBER:
            return True
        for name in ("function", "name", "left", "declarator", "pattern"):
            if (told := parent.field(name)) is not None and told.range() == node.range():
                return True
        return False

    @staticmethod
    def _is_handed(node: SgNode, inside: bool) -> bool:
        """Say whether a name, or a call inside of a closure, is handed to another thread, task or process."""
        for each in node.ancestors():
            kind, parent = each.kind(), each.parent()
            if kind in _CLOSURES:
                inside = True
            elif kind in ("block", "compound_statement") and (parent is None or parent.kind() not in _CLOSURES):
                return False
            elif kind in ("call", "call_expression", "declaration"):
                told = each.field("function") or each.field("type")
                name = dotted(told.text()).rpartition(".")[2] if told is not None else ""
                if name in _SCHEDULED or (inside and name in _HANDED):
                    return True
        return False

    @cached_property
    def _shorts(self) -> frozenset[str]:
        """The short names of the functions of the tree."""
        return frozenset(each.short for each in self.known.functions) - {MODULE}

    def _may_be(self, text: str) -> bool:
        return text.rpartition(".")[2] in self._shorts

    def _by_name(self, function: Function, text: str) -> list[Function]:
        """Return the methods of the tree, of the same language, that a call of an unknown object may mean."""
        short = text.rpartition(".")[2]
        return [
            each for each in self.known.by_short[short] if each.owner and each.file.language == function.file.language
        ]
