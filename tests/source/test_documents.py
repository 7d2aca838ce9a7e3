"""What a README promises, which sections are a runbook, and which boxes a diagram has."""

from __future__ import annotations

from pathlib import Path

import pytest
from source.reviewed import findings, source_of, tree_of

from mmverify.source.diagrams import diagrams, matches, undrawn
from mmverify.source.documents import Page, readme
from mmverify.source.promises import Promises
from mmverify.source.symbols import symbols
from mmverify.source.tree import File, read_tree

BOT = {
    "bot/main.py": "parser.add_argument('--config')\ncommands.add_parser('run')\n",
    "bot/__init__.py": "",
    "bot/desk.py": "class Desk:\n    limit = 1\n",
    "scripts/start.sh": "exec python -m bot.main run\n",
    "docs/guide.md": "# Guide\n",
    "Makefile": "build:\n\ttrue\n",
    "pyproject.toml": '[project.scripts]\nquoter = "bot.main:main"\n',
    ".gitignore": "build/\n*.log\n",
}


def broken(folder: Path, text: str) -> list[tuple[int, str, str]]:
    source_of({**BOT, "README.md": text}, folder)
    tree = read_tree(folder)
    page = readme(tree)
    assert page is not None
    return [(each.line, each.kind, each.what) for each in Promises(tree, page).broken()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`bot/gone.py`", ("file", "bot/gone.py")),
        ("[guide](docs/gone.md)", ("file", "docs/gone.md")),
        ("`bot.gone`", ("module", "bot.gone")),
        ("`--gone`", ("option", "--gone")),
        ("`python -m bot.gone`", ("module", "bot.gone")),
        ("`python -m bot.main walk`", ("command", "walk")),
        ("`python -m bot.main run --gone 1`", ("option", "--gone")),
        ("`quoter run --gone`", ("option", "--gone")),
        ("```bash\n$ bash scripts/gone.sh\n```", ("file", "scripts/gone.sh")),
        ("```sh\nmake gone\n```", ("target of make", "gone")),
        ("`gone.py` does it", ("file", "gone.py")),
    ],
)
def test_what_is_not_there_is_found(tmp_path: Path, text: str, found: tuple[str, str]) -> None:
    assert [(kind, what) for _, kind, what in broken(tmp_path, text)] == [found]


@pytest.mark.parametrize(
    "text",
    [
        "`bot/desk.py`, `bot/`, `desk.py`", "[guide](docs/guide.md#start), [web](https://a.example/x.py)",
        "`bot.desk.Desk`, `bot.desk`, `bot.desk.Desk.limit`",
        "`python -m bot.main run --config c.toml`", "`quoter run --config c.toml`", "```sh\nmake build\n```",
        "`pip install --upgrade quoter`", "`python -m pytest --quiet`", "`path/to/your/file.py`", "`bot/<name>.py`",
        "`build/quoter`", "`run.log`", "`git log --oneline`", "```python\nopen('gone.py')\n```", "`--help`",
        "`docker run --rm quoter`", "`BTC/USDT`", "`and/or`", "`https://a.example/gone.py`",
    ],
)  # fmt: skip
def test_what_is_there_or_of_someone_else_is_not_found(tmp_path: Path, text: str) -> None:
    assert broken(tmp_path, text) == []


def test_a_thing_is_said_once_at_its_first_line_under_any_of_its_names(tmp_path: Path) -> None:
    text = "`./scripts/gone.sh`\n\n`gone.sh` and `scripts/gone.sh`\n"
    assert broken(tmp_path, text) == [(1, "file", "./scripts/gone.sh")]


def test_a_readme_is_one_finding_a_kind(tmp_path: Path) -> None:
    text = "# x\n`bot/a.py` `bot/b.py`\n`bot/c.py`\n`bot/d.py`\n`--gone`\n"
    source_of({**BOT, "README.md": text}, tmp_path)
    found = [(each.was, each.where) for each in findings(tmp_path) if each.item == "7.1"]
    assert found == [
        ("file bot/a.py, bot/b.py, bot/c.py and 1 more", ("README.md:2", "README.md:2", "README.md:3")),
        ("option --gone", ("README.md:5",)),
    ]


def test_a_tree_without_a_readme_is_told_so(tmp_path: Path) -> None:
    source_of(BOT, tmp_path)
    assert [each.was for each in findings(tmp_path) if each.item == "7.1"] == ["no README at the top of the tree"]


# --- sections ---------------------------------------------------------------------------------------------------------


def test_the_sections_of_markdown_and_restructured_text_have_levels() -> None:
    text = "# Top\na b\n```sh\n# no heading\n```\n## Low\nc\nTop two\n=======\nd\nLow two\n-------\ne\n"
    parts = Page(File("a.md", text)).parts
    assert [(part.line, part.heading, part.level, part.words) for part in parts] == [
        (1, "Top", 1, 5), (6, "Low", 2, 1), (8, "Top two", 1, 1), (11, "Low two", 2, 1),
    ]  # fmt: skip


def test_a_section_of_a_page_may_be_the_runbook() -> None:
    text = "# Bot\n## Install\nx\n## Runbook\n### Start\na\n### Stop\nb\n## Licence\nc\n"
    page = Page(File("README.md", text))
    assert [part.heading for part in page.named("runbook", "Runbook")] == ["Runbook", "Start", "Stop"]
    assert page.named("runbook", "Incidents") == ()
    whole = Page(File("docs/runbook.md", text)).named("runbook", "Incidents")
    assert [part.heading for part in whole] == ["Bot", "Install", "Runbook", "Start", "Stop", "Licence"]


def test_pages_about_something_else_are_no_runbook_and_no_page_on_the_venue(tmp_path: Path) -> None:
    files = {
        "bot/a.py": "x = 1\n",
        "README.md": "# Bot\n## Exchange support\nmany\n## Start here\nfirst\n## Operations per second\nmany\n",
        "tests/venue.md": "# Venue\n## Fees\nnone\n",
        "docs/rules.md": "# Rules\n## Exchange API keys\nx\n",
    }
    source_of(files, tmp_path)
    found = [
        (each.item, each.was.partition(" on any")[0]) for each in findings(tmp_path) if each.item in ("7.4", "7.6")
    ]
    assert found == [("7.4", "no page has a procedure"), ("7.6", "no page has a statement")]


# --- diagrams ---------------------------------------------------------------------------------------------------------

MERMAID = """# Architecture
```mermaid
flowchart TD
    %% a comment
    main[The main loop] -->|asks| desk(Desk)
    desk --> engine & book[[book]]
    subgraph inner
    end
```
"""
PLANTUML = '@startuml\ncomponent "main loop" as main\npackage desk\n[engine] --> [book]\n@enduml\n'
DOT = """digraph bot {
  node [shape=box];
  main [label="main loop"];
  main -> desk;
  desk -> engine [label="x"];
}
"""
ASCII = "# A\n```\n+------+      +--------+\n| main | ---> | engine |\n+------+      +--------+\n```\n"


@pytest.mark.parametrize(
    ("path", "text", "boxes"),
    [
        ("a.md", MERMAID, [(5, "The main loop"), (5, "Desk"), (6, "engine"), (6, "book")]),
        ("a.puml", PLANTUML, [(2, "main loop"), (3, "desk"), (4, "engine"), (4, "book")]),
        ("a.dot", DOT, [(3, "main loop"), (4, "main"), (4, "desk"), (5, "desk"), (5, "engine")]),
        ("a.md", ASCII, [(4, "main"), (4, "engine")]),
    ],
    ids=["mermaid", "plantuml", "dot", "ascii"],
)
def test_the_boxes_of_a_drawing(path: str, text: str, boxes: list[tuple[int, str]]) -> None:
    (drawn,) = diagrams(tree_of({path: text}))
    assert [(box.line, box.label) for box in drawn.boxes] == boxes


def test_a_drawing_of_a_sequence_or_a_table_has_no_boxes() -> None:
    sequence = "```mermaid\nsequenceDiagram\n    desk->>venue: order\n```\n"
    assert diagrams(tree_of({"a.md": sequence + "| a | b |\n|---|---|\n"})) == []


def test_a_box_is_a_module_a_folder_a_class_or_someone_outside() -> None:
    files = {
        "bot/order_desk.py": "class RiskGate:\n    x = 1\n",
        "bot/feeds/wire.py": "x = 1\n",
        "bot/lost.py": "x = 1\n",
    }
    labels = ["Order Desk", "feeds", "RiskGate", "Exchange REST API", "hedger"]
    drawing = "```mermaid\nflowchart TD\n" + "".join(f"    n{n}[{each}]\n" for n, each in enumerate(labels)) + "```\n"
    tree = tree_of({**files, "a.md": drawing})
    (drawn,) = diagrams(tree)
    known = symbols(tree)
    assert [box.label for box in drawn.boxes if not matches(box, tree, known)] == ["hedger"]
    assert [path for path, _ in undrawn([drawn], tree)] == ["bot/lost"]
