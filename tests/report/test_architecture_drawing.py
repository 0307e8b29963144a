"""The composed network as a table that is a picture: what arrows say is said in words as well."""

import re

from bdistil.report import architecture_drawing as markup
from bdistil.results.architecture import Block, Part


def part(first, last, composition="add", reads=True, size=16, window=None, **costs):
    blocks = {"level 1": Block(size, reads), "answer": Block(None, False)}
    known = dict(macs=42_112.0, reading_macs=0.0, parameters=6_594.0, carry_bytes=3_584.0) | costs
    return Part(first, last, "cnn", composition, window, blocks, **known)


def test_an_arrow_is_told_in_words():
    html = markup.table([part(1, 1, "alone", False), part(2, 24)])
    assert '<th scope="row">2 to 24 <span>add</span></th>' in html
    assert html.count('class="block reads"') == html.count(", reads the students before it") == 1
    assert re.findall(r"<th scope=\"col\"[^>]*>([^<]*)", html) == ["Student", "Level 1", "Answer", *markup.COSTS]
    assert "42\u00a0k<" in html and "42\u00a0k each<" in html and "3.6\u00a0kB each<" in html


def test_a_level_that_adds_nothing_passes_on():
    assert 'class="block reads passed">reused<' in markup.table([part(2, 2, size=0)])


def test_parts_of_a_window_are_told_only_where_there_are_any():
    assert "25 to 50\u00a0%" in markup.table([part(2, 2, window=(0.25, 0.5))])
    assert "Reads" not in markup.table([part(2, 2, window=(0.0, 1.0))])


def test_the_caption_says_what_the_arrows_of_this_network_mean():
    assert markup.caption([part(1, 1, "alone", False)]).endswith("it reads the inputs only.")
    alone = markup.caption([part(2, 2)])
    assert alone.endswith("Arrows: the activations of the student above are added at that level.")
    assert "each level; all students share one cell. " in markup.caption([part(1, 1, shares=True)])
    both = markup.caption([part(2, 2), part(3, 3, "concat")])
    assert "add: the activations" in both and "concat: the activations" in both


def test_bars_are_the_macs_beside_those_of_the_dearest():
    html = markup.table([part(1, 1, macs=10_000.0), part(2, 3, macs=40_000.0), part(4, 4, macs=0)])
    assert re.findall(r'style="width:(\d+)%"', html) == ["25", "100", "0"]
    assert html.count(" each") == 3  # of MACs, parameters and what is left behind, and of nothing that is zero


def test_arrows_of_several_kinds_are_told_apart_by_name():
    one = markup.caption([part(2, 2), part(3, 3)])
    two = markup.caption([part(2, 2), part(3, 3, "concat")])
    assert "add: " not in one and "Arrows: add: the activations" in two
