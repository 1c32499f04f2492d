"""Which reader takes which file, and which files names, patterns and ranges stand for."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.components import kinds, resolve
from genoken.core.errors import DataError
from genoken.workflows.files import (
    _without_braces,
    distinct_names,
    expand_files,
    inspect_file,
    load_file,
    natural_key,
    read_file,
    read_files,
)

COUNTS = np.array([[3, 0, 90], [0, 5, 7]], dtype=np.float32)


def cells(prefix="c", **changes):
    obs = pd.DataFrame({"cell_type": ["A", "B"]}, index=[f"{prefix}1", f"{prefix}2"])
    return anndata.AnnData(COUNTS, obs=obs, var=pd.DataFrame(index=["TP53", "EGFR", "MYC"]), **changes)


def write_gct(path):
    lines = ["#1.2", "3\t2", "Name\tDescription\tc1\tc2"]
    lines += [f"{name}\tna\t{a}\t{b}" for name, (a, b) in zip(("TP53", "EGFR", "MYC"), COUNTS.T.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n")


def write_gctx(path):
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = COUNTS
        file["0/META/ROW/id"] = [b"TP53", b"EGFR", b"MYC"]
        file["0/META/COL/id"] = [b"c1", b"c2"]


def write_10x(path):
    from scipy.io import mmwrite
    from scipy.sparse import coo_matrix

    path.mkdir()
    mmwrite(path / "matrix.mtx", coo_matrix(COUNTS.T.astype(int)))
    (path / "genes.tsv").write_text("TP53\tTP53\nEGFR\tEGFR\nMYC\tMYC\n")
    (path / "barcodes.tsv").write_text("c1\nc2\n")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("cells.h5ad", lambda path: cells().write_h5ad(path)),
        ("CELLS.H5AD", lambda path: cells().write_h5ad(path)),
        ("cells.zarr", lambda path: cells().write_zarr(path)),
        ("store", lambda path: cells().write_zarr(path)),
        ("panel.gct", write_gct),
        ("panel.gctx", write_gctx),
        ("filtered_feature_bc_matrix", write_10x),
    ],
)
def test_every_kind_of_file_gives_the_same_samples(tmp_path, name, write):
    write(tmp_path / name)
    found = read_file(tmp_path / name)
    np.testing.assert_array_equal(found.values.toarray(), COUNTS)
    assert list(found.table.index) == ["c1", "c2"]
    assert list(found.features.index) == ["TP53", "EGFR", "MYC"]
    assert (found.value_kind, found.origin) == ("counts", f"{name}:X")
    assert load_file(tmp_path / name).shape == (2, 3)
    assert inspect_file(tmp_path / name, "X").problems == ()


def test_a_source_is_handed_on(tmp_path):
    cells(layers={"doubled": COUNTS * 2}).write_h5ad(tmp_path / "cells.h5ad")
    assert read_file(tmp_path / "cells.h5ad", "layers/doubled").values.max() == 180
    with pytest.raises(DataError, match="did you mean 'layers/doubled'"):
        read_file(tmp_path / "cells.h5ad", "layers/double")


def test_no_two_readers_take_the_same_ending():
    endings = [ending for kind in kinds("readers") for ending in resolve("readers", kind).suffixes]
    assert all(not one.endswith(other) for one in endings for other in endings if one is not other)
    assert {".h5ad", ".zarr", ".gct", ".gct.gz", ".gctx", ".h5"} <= set(endings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cells.xlsx", r"'.xlsx' is the ending of no known kind of file — .* in \.bcf, \.bed, \.calls, \.gct, .*, \.h5, \.h5ad"),
        ("cells", "a name without an ending says no kind of file — known are"),
        ("folder/", r"this folder is of no known kind — .*hold .*matrix.mtx.*zarr.json; .* a pattern, '.*folder/\*.h5ad'"),
        ("cell.h5ad", r"the file does not exist — did you mean 'cells\.h5ad'"),
        ("cells.h5ax", "the file does not exist — check the path"),
    ],
)  # fmt: skip
def test_unknown_kinds_of_files_are_refused_with_the_known_ones(tmp_path, name, message):
    (tmp_path / "cells.h5ad").touch()
    (tmp_path / "cells.xlsx").touch()
    (tmp_path / "cells").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=message) as caught:
        read_file(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.h5ad", ["a.h5ad"]),
        ("{a,b}.h5ad", ["a.h5ad", "b.h5ad"]),
        ("s_{8..11}.h5ad", ["s_8.h5ad", "s_9.h5ad", "s_10.h5ad", "s_11.h5ad"]),
        ("s_{10..8}", ["s_10", "s_9", "s_8"]),
        ("s_{08..11}", ["s_08", "s_09", "s_10", "s_11"]),
        ("{-1..1}", ["-1", "0", "1"]),
        ("{a,b}_{0..1}", ["a_0", "a_1", "b_0", "b_1"]),
        ("{a,b{1..2},{c,d}}", ["a", "b1", "b2", "c", "d"]),
        ("x{,.gz}", ["x", "x.gz"]),
        ("{a}", ["{a}"]),
        ("{a}{1,2}", ["{a}1", "{a}2"]),
        ("{a{1,2}}", ["{a1}", "{a2}"]),
        ("a{b", ["a{b"]),
        ("{0...2}", ["{0...2}"]),
        ("}{", ["}{"]),
    ],
)
def test_braces_stand_for_their_members(pattern, names):
    assert list(_without_braces(pattern)) == names


@given(st.text("{},.01a", max_size=12))
def test_braces_are_expanded_as_a_shell_does(pattern):
    names = list(_without_braces(pattern))
    assert names
    if "," not in pattern and ".." not in pattern:
        assert names == [pattern]


def test_patterns_match_in_natural_order(tmp_path):
    for name in ("s_10.h5ad", "s_2.h5ad", "s_1.h5ad", "t_3.h5ad", "s_2.txt"):
        (tmp_path / name).touch()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "s_4.h5ad").touch()

    def names(*patterns):
        return [path.name for path in expand_files([f"{tmp_path}/{pattern}" for pattern in patterns])]

    assert names("s_*.h5ad") == ["s_1.h5ad", "s_2.h5ad", "s_10.h5ad"]
    assert names("t_3.h5ad", "s_?.h5ad") == ["t_3.h5ad", "s_1.h5ad", "s_2.h5ad"]
    assert names("{t,s}_*.h5ad") == ["t_3.h5ad", "s_1.h5ad", "s_2.h5ad", "s_10.h5ad"]
    assert names("s_{1..2}.h5ad") == ["s_1.h5ad", "s_2.h5ad"]
    assert names("deep/**/s_4.h5ad") == ["s_4.h5ad"]
    assert sorted(["b10", "b9", "a", "10", "9", "b"], key=natural_key) == ["9", "10", "a", "b", "b9", "b10"]


def test_a_file_of_exactly_that_name_comes_first(tmp_path):
    for name in ("s[1].h5ad", "s1.h5ad", "{a,b}.h5ad"):
        (tmp_path / name).touch()
    assert expand_files([tmp_path / "s[1].h5ad", tmp_path / "{a,b}.h5ad"]) == [tmp_path / "s[1].h5ad", tmp_path / "{a,b}.h5ad"]


def test_patterns_without_a_file_and_files_named_twice_are_refused(tmp_path):
    for name in ("s_1.h5ad", "s_2.h5ad"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="no file is named — name files, or a pattern"):
        expand_files([])
    with pytest.raises(DataError, match=r"t_\*.h5ad: no file matches this pattern"):
        expand_files([f"{tmp_path}/t_*.h5ad"])
    with pytest.raises(DataError, match=r"s_3.h5ad: the file does not exist — did you mean 's_2.h5ad' or 's_1.h5ad'"):
        expand_files([f"{tmp_path}/s_{{1..3}}.h5ad"])
    with pytest.raises(DataError, match=r"s_1\.h5ad: this file is named twice — leave out one of"):
        expand_files([f"{tmp_path}/s_*.h5ad", tmp_path / "s_1.h5ad"])
    (tmp_path / "link.h5ad").symlink_to(tmp_path / "s_1.h5ad")
    with pytest.raises(DataError, match="named twice"):
        expand_files([tmp_path / "s_1.h5ad", tmp_path / "link.h5ad"])
    assert len(expand_files(["{" + ",".join(f"{tmp_path}/s_{number}.h5ad" for number in (1, 2)) + "}"])) == 2
    with pytest.raises(DataError, match="the file does not exist"):
        expand_files(["{" + "x" * 300 + ",y}"])


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / "a" / "cells.h5ad", tmp_path / "b" / "cells.h5ad"]
    assert distinct_names(paths) == [str(path) for path in paths]
    assert distinct_names([paths[0], tmp_path / "others.h5ad"]) == ["cells.h5ad", "others.h5ad"]


def test_several_files_are_joined_and_a_single_one_is_itself(tmp_path):
    cells("a").write_h5ad(tmp_path / "one.h5ad")
    cells("b").write_zarr(tmp_path / "two.zarr")
    joined = read_files([tmp_path / "one.h5ad", tmp_path / "two.zarr"])
    np.testing.assert_array_equal(joined.values.toarray(), np.vstack([COUNTS, COUNTS]))
    assert list(joined.table.index) == ["a1", "a2", "b1", "b2"]
    assert list(joined.table["file"]) == ["one.h5ad", "one.h5ad", "two.zarr", "two.zarr"]
    assert "file" not in read_files([tmp_path / "one.h5ad"]).table
