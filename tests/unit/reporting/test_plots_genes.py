from __future__ import annotations

import numpy as np
import pandas as pd

from genoken.reporting import plots_genes

GENES = pd.DataFrame(
    {
        "class": ["a", "a", "a", "b"],
        "feature_id": ["E1", "E2", "E3", "E1"],
        "symbol": ["<i>X</i>", "", None, "Y"],
        "rank": [2, 1, 3, 1],
        "importance": [0.25, 0.5, 0.125, 0.75],
        "correlation": [0.5, -0.25, np.nan, 1.0],
    }
)


def test_bars_are_the_importances_in_order_of_rank() -> None:
    panel = plots_genes.importance(GENES, ["a", "b", "absent"])
    bars, control = (plot.figure for plot in panel.plots)
    assert bars.data[0].x.tolist() == [0.5, 0.25, 0.125]
    assert bars.layout.yaxis.ticktext == ("E2", "&lt;i&gt;X&lt;/i&gt;", "E3")
    assert control.data[0].x.tolist()[:2] == [-0.25, 0.5]
    assert panel.view_names == ("a", "b")
    view = panel.plots[0].views[1]
    assert view.visible == (False, True)
    assert view.layout == {"yaxis.tickvals": [0], "yaxis.ticktext": ["Y"]}


def test_without_ranks_the_importance_decides_and_ties_keep_their_order() -> None:
    rows = GENES.drop(columns=["rank", "symbol", "correlation"]).assign(importance=[0.5, 0.75, 0.75, 0.1])
    assert plots_genes.top_genes(rows, "a")["feature_id"].tolist() == ["E2", "E3", "E1"]
    assert plots_genes.top_genes(rows, "a", 1)["feature_id"].tolist() == ["E2"]
    panel = plots_genes.importance(rows, ["a"])
    assert np.isnan(panel.plots[1].figure.data[0].x).all()


def test_deletion_curve_in_percent_with_its_band() -> None:
    curve = {
        "fractions": [0.0, 0.5],
        "importance": [1.0, 0.25],
        "random": [1.0, 0.75],
        "random_low": [1.0, 0.5],
        "random_high": [1.0, 0.875],
    }
    low, high, random, ranked = plots_genes.deletion(curve).plots[0].figure.data
    assert list(ranked.x) == [0.0, 50.0]
    assert list(ranked.y) == [1.0, 0.25]
    assert list(random.y) == [1.0, 0.75]
    assert (list(low.y), list(high.y)) == ([1.0, 0.5], [1.0, 0.875])
    assert high.fill == "tonexty"
    without_band = {key: curve[key] for key in ("fractions", "importance", "random")}
    assert len(plots_genes.deletion(without_band).plots[0].figure.data) == 2


def test_attention_rows_look_at_columns() -> None:
    figure = plots_genes.attention(["A", "B"], [[0.1, 0.9], [0.4, 0.6]]).plots[0].figure
    np.testing.assert_allclose(figure.data[0].z, [[0.1, 0.9], [0.4, 0.6]], rtol=1e-6)
    assert figure.data[0].hovertemplate.startswith("%{y} looks at %{x}")
    assert figure.layout.yaxis.autorange == "reversed"
