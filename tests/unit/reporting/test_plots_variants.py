from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.reporting import plots_variants, theme

VARIANTS = pd.DataFrame(
    {
        "id": ["a", "<b>", "c", "d"],
        "chrom": ["1", "1", "X", "X"],
        "pos": [1_000_000, 3_000_000, 500_000, 1_500_000],
        "ensemble": [0.9, 0.5, 0.2, 0.7],
        "importance_gradient": [2.0, 1.0, 0.5, 0.1],
        "glm_minus_log10_p": [4.0, 1.0, np.nan, 0.5],
        "clump_lead": ["a", "a", "c", "d"],
        "credible_set": [1, 0, 0, 0],
        "r2_to_locus_lead": [1.0, 0.5, 0.1, 0.7],
    }
)


def test_the_genome_is_one_axis_and_each_method_a_view():
    importance, regression = plots_variants.manhattan(VARIANTS).plots
    assert [view.name for view in importance.views] == ["gradient", "mean rank"]
    assert [view.visible for view in importance.views] == [(True, True, False, False), (False, False, True, True)]
    np.testing.assert_allclose(importance.figure.data[0].x, [0.0, 2.0])
    np.testing.assert_allclose(importance.figure.data[1].x, [2.081, 3.081])  # 4 % and a little between chromosomes
    np.testing.assert_allclose(importance.figure.data[0].y, [2.0, 1.0])
    np.testing.assert_allclose(importance.figure.data[2].y, [0.9, 0.5])
    np.testing.assert_allclose(regression.figure.data[0].y, [4.0, 1.0])
    assert importance.figure.layout.xaxis.ticktext == ("1", "X")
    assert importance.figure.data[0].text[1] == "&lt;b&gt; (1:3,000,000)"
    assert regression.figure.layout.shapes[0].y0 == pytest.approx(-np.log10(0.05 / 3))
    assert importance.figure.data[0].marker.color != importance.figure.data[1].marker.color


def test_variants_that_are_known_to_act_are_ringed_in_every_view():
    panel = plots_variants.manhattan(VARIANTS, ["<b>", "d"])
    importance, regression = panel.plots
    assert [view.visible for view in importance.views] == [(True,) * 3 + (False,) * 3, (False,) * 3 + (True,) * 3]
    np.testing.assert_allclose([importance.figure.data[2].y, importance.figure.data[5].y], [[1.0, 0.1], [0.5, 0.7]])
    np.testing.assert_allclose(regression.figure.data[2].y, [1.0, 0.5])
    assert [entry.name for entry in panel.legend] == ["known to act (simulated)"]
    locus = plots_variants.locus(VARIANTS, {"number": 1, "lead": "a", "chrom": "1"}, ["c"])
    np.testing.assert_allclose(locus.plots[0].figure.data[1].y, [0.5])
    assert locus.legend[-1].name == "known to act (simulated)"


def test_many_variants_are_thinned_but_the_first_stay(monkeypatch):
    monkeypatch.setattr(plots_variants, "MOST_POINTS", 40)
    many = pd.DataFrame({"id": [f"v{i}" for i in range(1000)], "chrom": "1", "pos": np.arange(1000) * 1000, "ensemble": 0.0})
    many = many.assign(glm_minus_log10_p=0.0)
    many.loc[333, "ensemble"], many.loc[777, "glm_minus_log10_p"] = 1.0, 9.0
    importance, regression = plots_variants.manhattan(many).plots
    assert 20 < len(importance.figure.data[0].x) <= 40
    assert importance.figure.data[0].y.max() == 1.0
    assert regression.figure.data[0].y.max() == 9.0


def test_a_locus_shows_the_lead_linkage_and_the_credible_set():
    panel = plots_variants.locus(VARIANTS, {"number": 1, "lead": "a", "chrom": "1"})
    importance, regression = (plot.figure.data[0] for plot in panel.plots)
    np.testing.assert_allclose(importance.y, VARIANTS["importance_gradient"])
    np.testing.assert_allclose(regression.y[:2], [4.0, 1.0])
    assert importance.marker.symbol == ("diamond", "circle", "circle", "circle")
    assert list(importance.marker.line.width) == [2.0, 0.0, 0.0, 0.0]
    colors = [entry.color for entry in panel.legend[:5]]
    assert list(importance.marker.color) == [colors[0], colors[2], colors[4], colors[1]]
    assert set(colors) <= set(theme.dark_partners())
    assert len(set(colors)) == 5
    assert importance.text[1].endswith("r² to the lead 0.50")


def test_leads_alone_in_the_order_of_importance():
    assert plots_variants.top_variants(VARIANTS, 2)["id"].tolist() == ["a", "d"]
    assert plots_variants.rank_by(VARIANTS["glm_minus_log10_p"]).tolist()[:2] == [1.0, 2.0]
