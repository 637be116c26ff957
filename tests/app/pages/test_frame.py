"""The frame of pages: templates say what has words; numbers, days, times and charts are as each language has them."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment

from app.pages import frame
from app.pages.charts import HEIGHT, Chart, Series, drawn
from app.pages.forms import Sent
from app.pages.frame import WIDTHS, render, template_folders, templates
from app.pages.navigation import Entry, links_for
from app.texts import Language, has_text, load_texts, text_roots
from tests.harness.walking import page_templates

WORDS = re.compile(r"""\b(said|told)\((["'])([a-z_.]+)\2(\s*~)?""")
# What a paper's page is called is up to the service that issued it.
GIVEN_A_TITLE = {"papers.check"}
FORBIDDEN = re.compile(r"<script(?! src=)|\son[a-z]+=|\sstyle=|<style|https?://")
TEMPLATES = sorted(path for folder in template_folders() for path in folder.glob("*.html"))


@pytest.fixture(autouse=True, scope="module")
def loaded_texts() -> None:
    load_texts(*text_roots())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_a_template_says_only_what_has_words_and_has_nothing_inline(path: object) -> None:
    folder, source = path.parent.parent.name, path.read_text("utf-8")  # type: ignore[attr-defined]
    assert not FORBIDDEN.search(source)
    said = [(f"{folder}.{key}" if by == "said" else key, more) for by, _, key, more in WORDS.findall(source)]
    assert not [key for key, more in said if not more and not has_text(key)]
    templates().get_template(f"{folder}/{path.name}")  # type: ignore[attr-defined]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where compiled templates are kept, empty; nothing of them is in this process."""
    place = tmp_path / "compiled"
    monkeypatch.setattr(frame, "COMPILED", place)
    templates.cache_clear()
    yield place
    templates.cache_clear()


def test_a_template_is_compiled_once_for_all_processes(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates().get_template("pages/officer.html")
    assert list(compiled.iterdir())
    templates.cache_clear()
    # As a process that is started later would find them.
    monkeypatch.delattr(Environment, "compile")
    templates().get_template("pages/officer.html")


def test_where_compiled_templates_cannot_be_kept_pages_are_shown(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "COMPILED", compiled / "in" / "nothing")
    templates().get_template("pages/officer.html")
    assert not compiled.exists()


def test_every_page_has_a_title() -> None:
    """Of its own, unless whoever shows it gives it one."""
    told = {name.replace("/", ".") for name in page_templates()} - GIVEN_A_TITLE
    assert not [name for name in sorted(told) if not has_text(f"{name}.title")]


def shown(source: str, language: Language, **values: object) -> str:
    made = templates().from_string(source)
    return made.render(language=language, zone=ZoneInfo("Asia/Jakarta"), **values)


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("id", "{{ 1234567.5|number(1) }}", "1.234.567,5"),
        ("en", "{{ 1234567.5|number(1) }}", "1,234,567.5"),
        ("id", "{{ None|number }}", "\u2013"),
        ("id", "{{ 0.8615|percent }} {{ 1|percent(0) }} {{ None|percent }}", "86,2% 100% \u2013"),
        ("id", "{{ 1536|size }} {{ 12|size }}", "1,5 KB 12 B"),
        ("en", "{{ (5*1024*1024*1024*1024)|size }}", "5,120.0 GB"),
        ("id", "{{ on|day }}", '<time datetime="2026-08-17">17 Agt 2026</time>'),
        (
            "id",
            "{{ at|moment }}",
            '<time datetime="2026-08-18T00:05:09+07:00"><span>18 Agt 2026</span>, <span>00.05 WIB</span></time>',
        ),
        (
            "en",
            "{{ at|moment }}",
            '<time datetime="2026-08-18T00:05:09+07:00"><span>18 Aug 2026</span>, <span>00:05 WIB</span></time>',
        ),
    ],
)
def test_formats(language: Language, source: str, expected: str) -> None:
    on, at = date(2026, 8, 17), datetime(2026, 8, 17, 17, 5, 9, tzinfo=UTC)
    assert shown(source, language, on=on, at=at) == expected


def test_what_is_filled_in_is_text_and_no_markup() -> None:
    page = render("provider/fault", "id", {"words": "<b>&"})
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page


def test_the_menu_shows_a_roles_own_and_marks_the_nearest() -> None:
    entries = [
        Entry("/dashboard/cases", "b", ("operator",), 2),
        Entry("/dashboard", "a", ("operator", "auditor"), 1),
        Entry("/dashboard/audit", "c", ("auditor",), 3),
    ]
    links = links_for(entries, "operator", "/dashboard/cases/17")
    assert [(each.path, each.is_current) for each in links] == [("/dashboard", False), ("/dashboard/cases", True)]
    assert not links_for(entries, "operator", "/dashboard-else")[0].is_current


@pytest.mark.parametrize("kind", ["bar", "line", "stacked"])
def test_a_chart_is_true_to_its_values(kind: Literal["bar", "line", "stacked"]) -> None:
    rows = [Series("a", [10, 0, 30]), Series("b", [20, 5, None])]
    chart = Chart(kind, "t", "h", ["Jan", "Feb", "Mar"], rows)
    for width in WIDTHS.values():
        drawing = drawn(chart, "id", width)
        zero, top = drawing.ticks[0].at, drawing.ticks[-1]
        unit = (zero - top.at) / float(top.words)
        if kind == "line":
            ends = [zero - unit * value for value in (10, 0, 30)]
            assert [y for _, y in drawing.lines[0].dots] == pytest.approx(ends, abs=0.1)
            assert drawing.lines[1].path.count("M") == 1
        else:
            heights = [bar.height for bar in drawing.bars]
            assert heights == pytest.approx([unit * value for value in (10, 20, 5, 30)], abs=0.2)
        marks = [*(bar.x + bar.width for bar in drawing.bars), *(x for each in drawing.lines for x, _ in each.dots)]
        assert 0 < min(marks) < max(marks) <= width
        assert all(0 <= tick.at <= HEIGHT for tick in drawing.ticks)


@pytest.mark.parametrize(
    ("highest", "digits", "scale"),
    [
        (9, 0, "0 2 4 6 8 10"),
        (2, 0, "0 1 2"),
        (30, 0, "0 10 20 30"),
        (95.4, 1, "0 20 40 60 80 100"),
        (4.7, 2, "0 1 2 3 4 5"),
        (0.7, 1, "0,0 0,2 0,4 0,6 0,8"),
        (7_150, 0, "0 2.000 4.000 6.000 8.000"),
    ],
)
def test_a_scale_is_of_round_numbers_and_says_them_whole(highest: float, digits: int, scale: str) -> None:
    chart = Chart("line", "t", "h", ["a"], [Series("x", [highest])], digits=digits)
    assert " ".join(tick.words for tick in drawn(chart, "id", 480).ticks) == scale


def test_a_chart_of_nothing_and_a_gap_in_a_line() -> None:
    drawn(Chart("bar", "t", "h", [], []), "id", 340)
    drawn(Chart("stacked", "t", "h", ["a"], [Series("x", [0])]), "id", 340)
    [line] = drawn(Chart("line", "t", "h", list("abcd"), [Series("x", [1, None, 2, 3])]), "id", 340).lines
    assert (line.path.count("M"), line.path.count("L"), len(line.dots)) == (2, 1, 3)


def test_a_chart_stands_beside_its_table() -> None:
    source = '{% import "pages/charts.html" as charts with context %}{{ charts.chart(it) }}'
    chart = Chart("bar", "Masuk", "Bulan", ["Jan"], [Series("Kasus", [1234])])
    page = shown(source, "id", it=chart, told=lambda key: key)
    assert page.count("<svg") == len(WIDTHS)
    assert '<td class="end">1.234</td>' in page


def test_a_number_that_was_chosen_stays_chosen() -> None:
    chosen = '{{ parts.choice("n", "n", [[1, "one"], [12, "a dozen"]], 12) }}'
    source = '{% import "pages/parts.html" as parts with context %}' + chosen
    made = templates().from_string(source).render(sent=Sent(), told=str, mark="", here="")
    assert made.count("selected") == 1
    assert '<option value="12" selected>' in made


def test_a_chart_of_nothing_says_so_and_a_line_along_zero_is_drawn() -> None:
    for kind, values, is_empty in (("bar", [0, None], True), ("line", [None, None], True), ("line", [0, None], False)):
        assert Chart(kind, "", "", ["a", "b"], [Series("", values)]).is_empty == is_empty  # type: ignore[arg-type]
