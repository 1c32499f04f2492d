from __future__ import annotations

import pandas as pd

from genoken.interpretation.export import export_rnk

RANKING = pd.DataFrame(
    {
        "class": ["CD4+/CD45RO", "CD4+/CD45RO", "CD4+/CD45RO", "CD4+/CD45RO", "../b", "../b"],
        "feature_id": ["g1", "g2", "g3", "g4", "g1", "g2"],
        "symbol": ["A", "B", "", "A", "A", None],
        "rank": [1, 2, 3, 4, 1, 2],
        "importance": [-3.0, 2.5, 1.0, 0.25, 0.0, 1e-7],
    }
)


def test_lists_by_hand(tmp_path):
    first, second = export_rnk(RANKING, tmp_path)
    assert first.name == "CD4+_CD45RO.rnk"
    # Of the two genes called A the stronger one stays; a gene without a symbol goes by its identifier.
    assert first.read_text() == "B\t2.5\ng3\t1\nA\t-3\n"
    assert second.name == "b.rnk"
    assert second.parent == tmp_path
    assert second.read_text() == "g2\t1e-07\nA\t0\n"


def test_names_do_not_collide(tmp_path):
    table = pd.concat([RANKING[:1].assign(**{"class": name}) for name in ("T cell", "t/cell", "T_cell", "???")])
    assert [path.name for path in export_rnk(table, tmp_path)] == ["T_cell.rnk", "t_cell_2.rnk", "T_cell_3.rnk", "class.rnk"]
