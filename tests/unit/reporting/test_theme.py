from __future__ import annotations

import itertools
import re

import pytest

from genoken.reporting import theme


def luminance(color: str) -> float:
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tone", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "good", "warning", "bad", "model"])
@pytest.mark.parametrize("background", ["surface", "raised", "page"])
def test_texts_reach_the_contrast_of_wcag_aa(tone: str, name: str, background: str) -> None:
    pair, behind = theme.NAMED[name], theme.NAMED[background]
    assert contrast(getattr(pair, tone), getattr(behind, tone)) >= 4.5


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)


def test_series_start_with_okabe_ito_and_are_all_different() -> None:
    assert [theme.series_color(index) for index in range(4)] == ["#0072B2", "#E69F00", "#009E73", "#D55E00"]
    assert len({pair.light for pair in theme.SERIES}) == 24
    assert len({pair.dark for pair in theme.SERIES}) == 24


def test_40_series_differ_by_color_or_symbol() -> None:
    looks = [(theme.series_color(index), theme.series_symbol(index)) for index in range(40)]
    assert len(set(looks)) == 40
    assert [theme.series_symbol(index) for index in (0, 7, 8, 16)] == ["circle", "circle", "diamond", "square"]


def test_dark_partners_know_every_color_that_a_figure_uses() -> None:
    partners = theme.dark_partners()
    assert partners["#0072B2"] == theme.NAMED["model"].dark
    assert partners["#FFFFFF"] == theme.NAMED["surface"].dark
    used = re.findall(r"#[0-9A-F]{6}", theme.figure(100).to_json())
    assert used
    assert set(used) <= set(partners)


def test_each_light_color_has_one_dark_partner() -> None:
    pairs = [*theme.NAMED.values(), *theme.SERIES]
    for one, other in itertools.combinations(pairs, 2):
        if one.light == other.light:
            assert one.dark == other.dark


def test_translucent_appends_two_digits() -> None:
    assert theme.translucent("#0072B2", 0.5) == "#0072B280"
    assert theme.translucent("#0072B2", 1.0) == "#0072B2FF"


def test_css_variables_differ_by_theme() -> None:
    assert theme.css_variable("#0072B2") == "var(--c-0072B2)"
    assert "--c-0072B2:#0072B2" in theme.css_variables("light")
    assert "--c-0072B2:#45A5EA" in theme.css_variables("dark")
    assert "--ink:#1B2430" in theme.css_variables("light")


def test_unknown_color_name() -> None:
    with pytest.raises(KeyError):
        theme.color("mauve")
