"""index.html: complete, offline, and proof against names from the evidence."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from mmverify.report import page, write
from mmverify.report.plots import Plot, plots

from .conftest import HOSTILE


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def test_page_needs_nothing_from_elsewhere(assessed, finding, evil):
    plot = Plot("s1_3_pnl.html", HOSTILE, "iVBORw0KGgo=")
    text = page.render(assessed(finding, evil), ["s1_3_pnl.html"], [plot])
    seen = Page(text)
    assert seen.values("src") == ["data:image/png;base64,iVBORw0KGgo="]
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in seen.tags}
    for value in seen.values("href"):
        assert value.startswith("#") or not ("//" in value or ":" in value or value.startswith("/")), value
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert "url(" not in text and "@import" not in text


def test_every_link_leads_somewhere(tmp_path, assessed, finding, medium, waived):
    notebooks = tmp_path / "executed"
    notebooks.mkdir()
    for name in ("s1_3_pnl.html", "s1_3_pnl.ipynb", "a b#c.html"):
        (notebooks / name).write_text("{}")
    source = tmp_path / "day"
    source.mkdir()
    write(assessed(finding, medium, waived), tmp_path / "out", sources=[source], notebooks=notebooks)
    seen = Page((tmp_path / "out/index.html").read_text(encoding="utf-8"))
    ids = seen.values("id")
    assert len(ids) == len(set(ids)) == 96 + 3
    links = seen.values("href")
    assert {"notebooks/s1_3_pnl.html", "notebooks/a%20b%23c.html", "junit.xml", "assessment.json"} <= set(links)
    for link in links:
        assert link[1:] in ids if link.startswith("#") else Path(tmp_path, "out", unquote(link)).is_file(), link


def test_every_item_is_there_at_a_glance_with_its_status_in_words(assessed, finding):
    seen = Page(page.render(assessed(finding), []))
    titles = [attrs["title"] for tag, attrs in seen.tags if tag == "a" and "title" in attrs]
    assert len(titles) == 96
    assert titles[12] == (
        "1.3.1 Realized P&L: (exit_price - entry_price) × quantity × direction: failed. 40 records exercised it. "
        "violated; 40 records exercised it"
    )
    for words in ("1.3.1 failed", "1.3.3 verified", "7.4 attested", "4.2.1 not applicable", "1.1.1 not assessed"):
        assert words in seen.text


def test_items_out_of_focus_are_not_shown_as_looked_at(assessed):
    seen = Page(page.render(assessed(chosen=("1.3.3",), focus=("1.3.3",), status="READY"), []))
    assert seen.text.count("not in focus") == 95
    assert "Focus: 1.3.3. Only 1 of the 96 items were reviewed; the status is theirs alone." in seen.text
    assert "READY" in seen.text


def test_finding_is_there_with_everything(assessed, finding):
    text = Page(page.render(assessed(finding, errors=("notebook s1_3_pnl: the kernel died",)), [])).text
    for words in (
        finding.title, finding.location, finding.category, finding.description, finding.current, finding.impact.text,
        finding.fix, finding.test, " ".join(finding.correct.split()), "notebook s1_3_pnl: the kernel died",
        "day: conventions.realized was assumed", "(1 item: 1.3.5)", "7.4 is attested, not seen",
    ):  # fmt: skip
        assert words in text, words


def test_waived_finding_is_marked_and_does_not_block(assessed, waived):
    text = Page(page.render(assessed(waived), [])).text
    blocking, rest = text.split("Blocking (must fix)", 1)[1].split("Recommended (should fix)", 1)
    assert blocking.strip() == "No findings." and "HIGH waived P&L depends on grouping" in rest


@pytest.mark.parametrize("field", ["session", "notes", "errors", "conditions", "focus"])
def test_hostile_text_stays_text(assessed, evil, field):
    value = evil.key if field == "session" else (evil.key,)
    hostile = page.render(assessed(evil, **{field: value}), [evil.key])
    seen = Page(hostile)
    assert "script" not in {tag for tag, _ in seen.tags}
    assert "<script>alert(1)</script>" in seen.text and "<script" not in hostile
    assert "\\x00" in seen.text and "\\u202e" in seen.text
    assert all(char.isprintable() or char == "\n" for char in hostile)


def test_what_follows_stands_under_its_root_and_both_are_linked(assessed, finding, following):
    seen = Page(page.render(assessed(finding, following), []))
    assert "2 findings, 1 root cause." in seen.text
    assert "follows from it: HIGH 1.3.2 Unrealized P&L is off (BTC-USDT)" in seen.text
    assert "Follows from 1.3.1:realized_pnl:BTC-USDT , both are of pnl:3" in seen.text
    assert "Consequences 1.3.2:unrealized_pnl:BTC-USDT" in seen.text
    assert [tag for tag, _ in seen.tags].count("article") == 2


def test_the_first_plot_of_each_notebook_is_shown_under_its_heading(tmp_path):
    def cell(kind, source, *images):
        outputs = [{"output_type": "display_data", "data": {"image/png": image}} for image in images]
        return {"cell_type": kind, "source": source, "outputs": outputs}

    cells = [cell("markdown", ["# P&L\n", "prose"]), cell("code", "1"), cell("code", "2", "QUJD\n", "REVG")]
    (tmp_path / "s1_3_pnl.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "s0_readiness.ipynb").write_text(json.dumps({"cells": [cell("code", "1")]}))
    assert plots(tmp_path) == [Plot("s1_3_pnl.html", "P&L", "QUJD")]
