"""Tables in files: columns alone, whole or absent."""

from __future__ import annotations

import pandas as pd
import pytest

from genoken.core.errors import RunError
from genoken.core.tables import write_csv, write_parquet

TABLE = pd.DataFrame({"name": ["a", "b"], "value": [0.5, 2.0]}, index=[7, 3])
WRITERS = {"t.parquet": write_parquet, "t.csv": write_csv}


def test_columns_are_written_without_the_index(tmp_path):
    write_csv(tmp_path / "t.csv", TABLE)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "name,value\na,0.5\nb,2.0\n"
    write_parquet(tmp_path / "new" / "t.parquet", TABLE)
    found = pd.read_parquet(tmp_path / "new" / "t.parquet")
    pd.testing.assert_frame_equal(found, TABLE.reset_index(drop=True))


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_there_is_kept_when_writing_fails(name, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_text("before", encoding="utf-8")

    def full(table, target, **named):
        target.write_text("cut off", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, f"to_{path.suffix[1:]}", full)
    with pytest.raises(RunError, match=r"cannot write the file \(No space left on device\)"):
        WRITERS[name](path, TABLE)
    assert path.read_text(encoding="utf-8") == "before"
    assert [child.name for child in tmp_path.iterdir()] == [name]
