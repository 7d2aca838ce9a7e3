"""What a check of the source tree is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmverify.source.graph import Graph, Reached
from mmverify.source.symbols import Function
from mmverify.source.tree import Tree, read_tree


@dataclass(frozen=True, eq=False)
class Source:
    """A source tree, its calls and its hot path, each worked out when first asked for.

    Attributes
    ----------
    tree : Tree
    code : Tree
        The same, its code narrowed to the files in focus.
    """

    tree: Tree
    code: Tree

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.tree.name

    @cached_property
    def graph(self) -> Graph:
        """The calls of the whole tree: what is in focus may be reached from outside of it."""
        return Graph(self.tree)

    @cached_property
    def entries(self) -> dict[str, list[Function]]:
        """The functions of each entry of the hot path that review.toml declares."""
        return {name: self.graph.find(name) for name in self.tree.settings.get("hot_path", ())}

    @cached_property
    def hot(self) -> tuple[Reached, ...]:
        """The functions in focus that the hot path reaches."""
        kept = self.code.by_path
        reached = self.graph.reached(each for found in self.entries.values() for each in found)
        return tuple(each for each in reached if each.function.file.path in kept)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions in focus, and the code outside of functions; those of tests aside."""
        return tuple(
            each for each in self.graph.known.functions
            if each.file.path in self.code.by_path and not each.file.is_test(each.line)
        )  # fmt: skip


def open_source(folder: Path, focus: Sequence[str] = ()) -> Source:
    """Read a source tree; `focus` names files, folders or modules that its code is narrowed to.

    Raises
    ------
    UsageError
        For a folder, review.toml or focus that cannot be used.
    """
    tree = read_tree(folder)
    return Source(tree, tree.narrowed(*focus) if focus else tree)
