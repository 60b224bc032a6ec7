"""The HTML report: one page, nothing from outside, nothing unescaped, and everything said in words."""

import re
from datetime import UTC
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tests.unit import report_rollouts as rollouts
from tests.unit.report_rollouts import facts_of, tell
from wavegate.reports.html import ICONS, render_html
from wavegate.reports.wording import STANDING_WORDS

VOID = {"meta", "link", "br", "img", "input", "hr"}
PLACED = re.compile(r"(?:left|width|x|cx|x1|x2)[:=]\"?(-?[\d.]+)%")


class Page(HTMLParser):
    """Collects tags, attributes and words, and insists that every tag is closed where it must be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(name):
    return render_html(tell(name), zone=UTC)


@pytest.mark.parametrize("name", rollouts.SCENARIOS)
def test_the_page_is_well_formed_and_loads_nothing(name):
    text = page_of(name)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert "://" not in text
    assert "url(" not in text
    assert all(value.startswith("#i-") for key, value in page.attributes if key in {"href", "src"})
    assert not [key for key, _ in page.attributes if key.startswith("on")]


@pytest.mark.parametrize("name", rollouts.SCENARIOS)
def test_everything_in_the_pictures_lies_inside_them(name):
    places = [float(number) for number in PLACED.findall(page_of(name).split("</style>")[1])]
    assert places
    assert all(0 <= place <= 100 for place in places)


def test_what_hosts_say_is_text_and_never_markup():
    text = page_of("hostile")
    assert "&lt;script&gt;alert(&#39;x&#39;)" in text
    assert all(one.isprintable() or one == "\n" for one in text)
    assert "<img src=x onerror=alert(1)>" in Page(text).text
    assert r"\x1b[31m [red]&amp; ]]> \u202egnp \x00" in Page(text).text


@pytest.mark.parametrize("name", [name for name in rollouts.SCENARIOS if name != "hostile"])
def test_the_page_says_the_headline_every_trouble_and_every_host(name):
    facts = tell(name)
    text = Page(render_html(facts, zone=UTC)).text
    sentences = [facts.headline, facts.by, *facts.left]
    sentences += [
        word for trouble in facts.troubles for word in (trouble.subject, trouble.what, trouble.done)
    ]
    sentences += [moment.text for moment in facts.timeline]
    sentences += [host.name for host in facts.hosts]
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_a_rollout_without_trouble_says_so():
    assert "Nothing: no host was bad, and no gate failed." in Page(page_of("resumed")).text


def test_a_long_standstill_is_folded_up_and_said():
    assert "it is drawn shorter than it was: died for 1 h 00 min" in Page(page_of("resumed")).text


def test_every_standing_has_a_sign_and_a_word():
    assert set(STANDING_WORDS) <= set(ICONS)


def test_headings_step_down_without_a_gap_and_tables_have_captions():
    text = page_of("completed")
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert text.count("<table>") == text.count("<caption>") == 1


def test_pictures_have_words_for_those_who_cannot_see_them():
    text = page_of("rolled_back")
    labels = re.findall(r'role="img" aria-label="([^"]+)"', text)
    assert text.count('role="img"') == len(labels)
    assert any("rollback for 10 s" in label for label in labels)
    assert any("3 good, 1 bad" in label for label in labels)


def test_a_rollout_that_has_not_started_has_a_page_too():
    bench = rollouts.completed()
    bench.records.clear()
    assert "has not started" in Page(render_html(facts_of(bench), zone=UTC)).text
