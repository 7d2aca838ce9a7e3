"""The functions, classes and imports of a source tree, by name.

Names of all languages are held with dots: ``std::this_thread::sleep_for`` is ``std.this_thread.sleep_for``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mmverify.source.imports import dotted, imports, module_of
from mmverify.source.tree import File, Tree

if TYPE_CHECKING:
    from ast_grep_py import Relation, Rule, SgNode

#: Kinds of nodes by language.
FUNCTION = {"python": "function_definition", "cpp": "function_definition", "rust": "function_item"}
CALL = {"python": ("call",), "cpp": ("call_expression",), "rust": ("call_expression", "macro_invocation")}
CLASS = {
    "python": ("class_definition",),
    "cpp": ("class_specifier", "struct_specifier"),
    "rust": ("struct_item", "enum_item", "trait_item"),
}
MODULE = "<module>"  # the code of a file outside its functions, as a function
_WORD = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)*")


def words(text: str) -> list[str]:
    """Return the names in a type, such as ``std.unique_ptr`` and ``Book``."""
    return [word.replace("::", ".") for word in _WORD.findall(text)]


@dataclass(frozen=True, eq=False)
class Function:
    """A function or method of the tree.

    Attributes
    ----------
    name : str
        As review.toml writes it: ``bot.engine:Engine.on_book_update``, ``src/engine.hpp:Engine::on_book_update``.
    short, owner : str
        Its own name, and the short name of its class, empty where it has none.
    file : File
    node : SgNode
    """

    name: str
    short: str
    owner: str
    file: File
    node: SgNode

    @property
    def line(self) -> int:
        """The line that it begins at, from 1."""
        return self.node.range().start.line + 1

    @property
    def at(self) -> str:
        """Where it begins."""
        return self.file.at(self.line)

    @property
    def called(self) -> str:
        """The name without its file: ``Engine.on_book_update``."""
        return self.name.partition(":")[2]


@dataclass(eq=False)
class Class:
    """A class, struct or trait: its bases, what its fields are declared or assigned as, and its methods."""

    short: str
    file: File
    bases: list[str] = field(default_factory=list)
    types: dict[str, list[tuple[str, File]]] = field(default_factory=lambda: defaultdict(list))
    values: dict[str, list[tuple[SgNode, Function]]] = field(default_factory=lambda: defaultdict(list))
    methods: dict[str, list[Function]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, eq=False)
class Symbols:
    """What a tree defines.

    Attributes
    ----------
    functions : tuple of Function
        In order of files and lines; the code outside of functions of a file is one named ``<module>``.
    classes : mapping of str to list of Class
        By short name; of Python by ``module.Class`` too.
    free : mapping of str to list of Function
        Functions outside of classes, by short name; of Python by ``module.function`` too.
    modules : mapping of str to File
        Files of Python by dotted name.
    aliases : mapping of str to mapping of str to str
        Of each file: what an imported name stands for.
    spaces : frozenset of str
        What may stand before a name of the tree in C++ and Rust: namespaces, classes, modules, ``crate``.
    """

    functions: tuple[Function, ...]
    classes: Mapping[str, list[Class]]
    free: Mapping[str, list[Function]]
    modules: Mapping[str, File]
    aliases: Mapping[str, Mapping[str, str]]
    spaces: frozenset[str]

    @cached_property
    def by_short(self) -> dict[str, list[Function]]:
        """The functions by short name."""
        out: dict[str, list[Function]] = defaultdict(list)
        for each in self.functions:
            out[each.short].append(each)
        return out


def symbols(tree: Tree) -> Symbols:
    """Find what a tree defines; what its tests define is not of the bot."""
    found = _Finder()
    files = [file for file in tree.code if not file.is_test(1)]
    nodes = {file: found.classes_of(file) for file in files}
    for file in files:
        found.read(file, nodes.pop(file))
    for own, name, value, function in found.given:
        own.values[name].append((value, function))
    modules = {module_of(file): file for file in files if file.language == "python"}
    spaces = frozenset(found.spaces) | found.classes.keys()
    return Symbols(tuple(found.functions), found.classes, found.free, modules, found.aliases, spaces)


#: What a file is searched for, at once.
_IMPORT = {
    "python": ("import_statement", "import_from_statement"),
    "cpp": ("using_declaration", "namespace_alias_definition", "alias_declaration"),
    "rust": ("use_declaration",),
}
_SPACE = {"python": (), "cpp": ("namespace_definition",), "rust": ("mod_item", "impl_item")}


def _sought(language: str) -> Rule:
    kinds = (FUNCTION[language], *CLASS[language], *_IMPORT[language], *_SPACE[language])
    sought: list[Rule] = [{"kind": kind} for kind in kinds]
    if language == "python":
        sought.append({"kind": "assignment", "has": {"field": "left", "regex": r"^self\.\w+$"}})
    return {"any": sought}


class _Finder:
    """Gathers definitions, file by file."""

    def __init__(self) -> None:
        self.functions: list[Function] = []
        self.classes: dict[str, list[Class]] = defaultdict(list)
        self.free: dict[str, list[Function]] = defaultdict(list)
        self.aliases: dict[str, dict[str, str]] = {}
        self.spaces = {"crate", "self", "super"}
        self.given: list[tuple[Class, str, SgNode, Function]] = []  # what ``self.x = value`` gives fields

    def classes_of(self, file: File) -> list[SgNode]:
        """Take in the classes of a file, of every file before what may be of them, and return what else it holds."""
        nodes = file.root.find_all({"rule": _sought(file.language)})
        for node in nodes:
            if node.kind() in CLASS[file.language]:
                self._class(file, node)
        return nodes

    def read(self, file: File, nodes: list[SgNode]) -> None:
        """Take in the imports, functions and fields of a file."""
        language, aliases, last = file.language, self.aliases.setdefault(file.path, {}), -1
        if language != "python":
            self.spaces.add(file.path.rpartition("/")[2].partition(".")[0])
        for node in nodes:
            kind = node.kind()
            if kind in _IMPORT[language]:
                aliases.update(imports(node, file))
            elif kind == "impl_item" and (trait := node.field("trait")):
                if self.classes.get(_type_name(node)):
                    self._own(_type_name(node), file).bases.append(dotted(trait.text()))
            elif kind in _SPACE[language] and (name := node.field("name")):
                self.spaces.add(dotted(name.text()).rpartition(".")[2])
            elif kind == FUNCTION[language] and (place := node.range()).start.index >= last:
                last = place.end.index
                if not file.is_test(place.start.line + 1):
                    self._function(file, node)
            elif kind == "assignment" and node.range().start.index < last:
                self._field(node)
        self.functions.append(Function(f"{_place(file)}:{MODULE}", MODULE, "", file, file.root))

    def _own(self, short: str, file: File) -> Class:
        """Return the class of a short name; where several have it that of this file, or of its header."""
        known, stem = self.classes[short], file.path.rpartition(".")[0]
        near = [each for each in known if each.file.path.rpartition(".")[0] == stem] or known
        mine = [each for each in near if each.file is file] or near
        if not mine:
            mine = [Class(short, file)]
            self._know(mine[0])
        return mine[0]

    def _know(self, each: Class) -> None:
        self.classes[each.short].append(each)
        if each.file.language == "python":
            self.classes[f"{module_of(each.file)}.{each.short}"].append(each)

    def _class(self, file: File, node: SgNode) -> None:
        name, body = node.field("name"), node.field("body")
        if name is None or (file.language == "cpp" and body is None):
            return
        made = Class(dotted(name.text()), file)
        self._know(made)
        if file.language == "python":
            if bases := node.field("superclasses"):
                made.bases += words(bases.text())
            for each in body.children() if body else ():
                assigned = each.child(0) if each.kind() == "expression_statement" else None
                if assigned is not None and assigned.kind() == "assignment":
                    left, kind = assigned.field("left"), assigned.field("type")
                    if left is not None and kind is not None:
                        made.types[left.text()].append((kind.text(), file))
        elif file.language == "cpp":
            made.bases += [word for each in node.children() if each.kind() == "base_class_clause"
                           for word in words(each.text())]  # fmt: skip
            self._fields(made, body, "declarator")
        elif file.language == "rust":
            self._fields(made, body, "name")

    @staticmethod
    def _fields(made: Class, body: SgNode | None, name: str) -> None:
        """Note the types of fields, and what the methods return that a class or trait only declares."""
        for each in body.children() if body is not None else ():
            kind = each.field("type") if each.kind() == "field_declaration" else None
            if each.kind() == "function_signature_item" and (told := each.field(name)) is not None:
                returned = each.field("return_type")
                made.types[told.text()].append((returned.text() if returned is not None else "", made.file))
            if kind is None:
                continue
            for told in each.field_children(name):
                if plain := re.search(r"[A-Za-z_]\w*", told.text()):
                    made.types[plain[0]].append((kind.text(), made.file))

    def _function(self, file: File, node: SgNode) -> None:
        short, owner = _names(node, file.language)
        if not short:
            return
        own = ("::" if file.language != "python" else ".").join(filter(None, (owner, short)))
        made = Function(f"{_place(file)}:{own}", short.rpartition(".")[2], owner.rpartition(".")[2], file, node)
        self.functions.append(made)
        if made.owner:
            if file.language == "cpp" or self.classes.get(made.owner):
                self._own(made.owner, file).methods[made.short].append(made)
            return
        self.free[made.short].append(made)
        if file.language == "python":
            self.free[f"{module_of(file)}.{made.short}"].append(made)

    def _field(self, node: SgNode) -> None:
        """Note what ``self.x = value`` gives a field of a class of Python, in the function that was read last."""
        function, left, right = self.functions[-1], node.field("left"), node.field("right")
        if not function.owner or left is None:
            return
        own, name = self._own(function.owner, function.file), left.text().removeprefix("self.")
        if (kind := node.field("type")) is not None:
            own.types[name].append((kind.text(), function.file))
        if right is not None:
            self.given.append((own, name, right, function))


def _place(file: File) -> str:
    return module_of(file) if file.language == "python" else file.path


def _type_name(node: SgNode) -> str:
    kind = node.field("type")
    return dotted(kind.text()).rpartition(".")[2] if kind is not None else ""


def _names(node: SgNode, language: str) -> tuple[str, str]:
    """Return the short name of a function, and that of its class."""
    if language == "cpp":
        return _cpp_names(node)
    name = node.field("name")
    short = name.text() if name is not None else ""
    for each in node.ancestors():
        if each.kind() in ("class_definition", "trait_item"):
            own = each.field("name")
            return short, own.text() if own is not None else ""
        if each.kind() == "impl_item":
            return short, _type_name(each)
    return short, ""


def _cpp_names(node: SgNode) -> tuple[str, str]:
    declarator = node.field("declarator")
    while declarator is not None and declarator.kind() != "function_declarator":
        declarator = declarator.field("declarator") or next(
            (each for each in declarator.children() if each.kind().endswith("declarator")), None
        )
    told = declarator.field("declarator") if declarator is not None else None
    if told is None:
        return "", ""
    path = dotted(told.text()).split(".")
    within = [
        name.text() for each in node.ancestors()
        if each.kind() in CLASS["cpp"] and (name := each.field("name")) is not None
    ]  # fmt: skip
    owner = dotted(within[0]) if within else path[-2] if len(path) > 1 else ""
    return path[-1], owner


def matching(function: Function, rule: Rule) -> list[SgNode]:
    """Return the nodes of a function's body that a rule of ast-grep takes; of a module those outside of functions."""
    if function.short == MODULE:
        within: Relation = {"kind": FUNCTION[function.file.language], "stopBy": "end"}
        return function.node.find_all({"rule": {"all": [rule, {"not": {"inside": within}}]}})
    body = function.node.field("body")
    return body.find_all({"rule": rule}) if body is not None else []


def nodes_of(function: Function, kinds: Iterable[str]) -> list[SgNode]:
    """Return the nodes of kinds in a function's body; of a module those outside of functions."""
    return matching(function, {"any": [{"kind": kind} for kind in kinds]})
