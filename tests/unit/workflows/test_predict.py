"""Names and places of predictions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from genoken.core.errors import ConfigError
from genoken.workflows.predict import OUTPUT_SUFFIXES, TABLE_SUFFIXES, _obs_names, checked_output, write_table


def test_names_of_columns_have_no_slash_and_occur_once():
    found = _obs_names(["predicted", "probability_a/b", "probability_a_b", "probability_a_b_2"])
    assert found == ["genoken_predicted", "genoken_probability_a_b", "genoken_probability_a_b_2", "genoken_probability_a_b_2_2"]


def test_outputs_are_known_by_their_endings():
    assert checked_output(None, TABLE_SUFFIXES) is None
    assert checked_output("x/y.h5ad", OUTPUT_SUFFIXES) == Path("x/y.h5ad")
    with pytest.raises(ConfigError, match=r"^y\.h5ad: '\.h5ad' says no format"):
        checked_output("y.h5ad", TABLE_SUFFIXES)
    with pytest.raises(ConfigError, match=r"^y: a name without an ending says no format"):
        checked_output("y", TABLE_SUFFIXES)


@pytest.mark.parametrize(("name", "text"), [("t.csv", "i,a\nx,1\n"), ("t.tsv", "i\ta\nx\t1\n")])
def test_tables_are_separated_as_their_ending_says(name, text, tmp_path):
    write_table(tmp_path / name, pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="i")))
    assert (tmp_path / name).read_text(encoding="utf-8") == text
