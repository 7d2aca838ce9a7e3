"""The functions, classes and imports of a source tree, by name.

Names of all languages are held with dots: ``std::this_thread::sleep_for`` is ``std.this_thread.sleep_for``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

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


def dotted(text: str) -> str:
    """Write a name with dots, without arguments of types."""
    plain = re.sub(r"<[^<>]*>", "", re.sub(r"<[^<>]*>", "", text))
    return re.sub(r"\s+", "", plain).replace("::", ".").removeprefix(".")


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


def module_of(file: File) -> str:
    """Return the dotted name of a file of Python."""
    return file.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def symbols(tree: Tree) -> Symbols:
    """Find what a tree defines."""
    found = _Finder()
    for file in tree.code:
        found.read(file)
    for function in found.functions:
        found.fields_set_in(function)
    modules = {module_of(file): file for file in tree.code if file.language == "python"}
    aliases = {file.path: dict(_imports(file)) for file in tree.code}
    spaces = frozenset(_spaces(tree)) | found.classes.keys()
    return Symbols(tuple(found.functions), found.classes, found.free, modules, aliases, spaces)


def _spaces(tree: Tree) -> Iterator[str]:
    yield from ("crate", "self", "super")
    for file in tree.code:
        kind = {"cpp": "namespace_definition", "rust": "mod_item"}.get(file.language)
        if kind is not None:
            yield file.path.rpartition("/")[2].partition(".")[0]
            yield from (dotted(name.text()).rpartition(".")[2] for node in file.root.find_all(kind=kind)
                        if (name := node.field("name")) is not None)  # fmt: skip


class _Finder:
    """Gathers definitions, file by file."""

    def __init__(self) -> None:
        self.functions: list[Function] = []
        self.classes: dict[str, list[Class]] = defaultdict(list)
        self.free: dict[str, list[Function]] = defaultdict(list)

    def read(self, file: File) -> None:
        language = file.language
        for kind in CLASS[language]:
            for node in file.root.find_all(kind=kind):
                self._class(file, node)
        if language == "rust":
            for node in file.root.find_all(kind="impl_item"):
                if trait := node.field("trait"):
                    self._own(_type_name(node), file).bases.append(dotted(trait.text()))
        for node in file.root.find_all(kind=FUNCTION[language]):
            if not _is_nested(node, language):
                self._function(file, node)
        self.functions.append(Function(f"{_place(file)}:{MODULE}", MODULE, "", file, file.root))

    def _own(self, short: str, file: File) -> Class:
        """Return the class of a short name, of this file where several have it."""
        known = self.classes[short]
        mine = [each for each in known if each.file is file] or known
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
        for each in body.children() if body is not None else ():
            kind = each.field("type") if each.kind() == "field_declaration" else None
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
            self._own(made.owner, file).methods[made.short].append(made)
            return
        self.free[made.short].append(made)
        if file.language == "python":
            self.free[f"{module_of(file)}.{made.short}"].append(made)

    def fields_set_in(self, function: Function) -> None:
        """Note what ``self.x = value`` gives the fields of a class of Python."""
        if function.file.language != "python" or not function.owner:
            return
        own = self._own(function.owner, function.file)
        for node in function.node.find_all(kind="assignment"):
            left, right, kind = node.field("left"), node.field("right"), node.field("type")
            if left is None or not (name := re.fullmatch(r"self\.(\w+)", left.text())):
                continue
            if kind is not None:
                own.types[name[1]].append((kind.text(), function.file))
            if right is not None:
                own.values[name[1]].append((right, function))


def _place(file: File) -> str:
    return module_of(file) if file.language == "python" else file.path


def _is_nested(node: SgNode, language: str) -> bool:
    return any(each.kind() == FUNCTION[language] for each in node.ancestors())


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


# --- imports ----------------------------------------------------------------------------------------------------------


def _imports(file: File) -> Iterator[tuple[str, str]]:
    """Yield each name that a file imports, and what it stands for."""
    yield from {"python": _python_imports, "cpp": _cpp_imports, "rust": _rust_imports}[file.language](file)


def _python_imports(file: File) -> Iterator[tuple[str, str]]:
    for node in file.root.find_all(kind="import_statement"):
        for name, alias in _aliased(node):
            yield (alias, name) if alias else (name.partition(".")[0], name.partition(".")[0])
    for node in file.root.find_all(kind="import_from_statement"):
        source = node.field("module_name")
        module = _absolute(source.text(), file) if source is not None else ""
        for name, alias in _aliased(node):
            yield alias or name, f"{module}.{name}".removeprefix(".")


def _aliased(node: SgNode) -> Iterator[tuple[str, str]]:
    for each in node.field_children("name"):
        name, alias = each.field("name"), each.field("alias")
        yield (name.text(), alias.text()) if name is not None and alias is not None else (each.text(), "")


def _absolute(module: str, file: File) -> str:
    """Write a relative module in full."""
    ups = len(module) - len(module.lstrip("."))
    if not ups:
        return module
    here = module_of(file).split(".")
    package = here if file.path.endswith("__init__.py") else here[:-1]
    return ".".join([*package[: len(package) - ups + 1], *filter(None, [module.lstrip(".")])])


def _cpp_imports(file: File) -> Iterator[tuple[str, str]]:
    for node in file.root.find_all(kind="using_declaration"):
        found = re.fullmatch(r"using\s+(?!namespace)(?:typename\s+)?([\w:]+)\s*;", node.text())
        if found:
            yield dotted(found[1]).rpartition(".")[2], dotted(found[1])
    for kind in ("namespace_alias_definition", "alias_declaration"):
        for node in file.root.find_all(kind=kind):
            if found := re.fullmatch(r"(?:namespace|using)\s+(\w+)\s*=\s*([\w:]+)[^;]*;", node.text()):
                yield found[1], dotted(found[2])


def _rust_imports(file: File) -> Iterator[tuple[str, str]]:
    for node in file.root.find_all(kind="use_declaration"):
        argument = node.field("argument")
        if argument is not None:
            yield from _used(argument.text(), "")


def _used(text: str, before: str) -> Iterator[tuple[str, str]]:
    """Yield what a tree of ``use`` brings in."""
    text = text.strip()
    head, brace, rest = text.partition("{")
    if brace:
        prefix = before + dotted(head)
        prefix = prefix if prefix.endswith(".") or not prefix else prefix + "."
        for part in _split(rest.rstrip().removesuffix("}")):
            yield from _used(part, prefix)
        return
    name, _, alias = text.partition(" as ")
    path = (before + dotted(name)).removesuffix(".self")
    if path and not path.endswith("*"):
        yield alias.strip() or path.rpartition(".")[2], path


def _split(text: str) -> list[str]:
    """Split at the commas outside of braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]
