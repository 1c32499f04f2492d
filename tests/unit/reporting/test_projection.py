from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genoken.reporting import projection


def embeddings(samples: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    columns = {f"{space}_{index}": random.normal(size=samples) for space in ("model", "pca") for index in (0, 1, 2, 10)}
    return pd.DataFrame({"sample_id": [f"s{row}" for row in range(samples)]} | columns)


def write(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    table.to_parquet(folder / "embeddings.parquet")
    return table


def test_columns_come_in_numeric_order() -> None:
    table = pd.DataFrame({"model_10": [3.0], "model_2": [2.0], "model_x": ["no"], "model_0": [1.0], "pca_0": [9.0]})
    assert projection.columns_of(table, "model").tolist() == [[1.0, 2.0, 3.0]]
    assert projection.columns_of(table, "absent").shape == (1, 0)


def test_principal_components_of_points_on_a_line() -> None:
    values = np.array([[0.0, 0.0], [3.0, 4.0], [-3.0, -4.0]])
    placed = projection.principal_components(values)
    assert np.abs(placed[:, 0]) == pytest.approx([0.0, 5.0, 5.0])
    assert placed[:, 1] == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert placed[:, 0].max() == pytest.approx(5.0)
    assert projection.principal_components(np.array([[1.0], [2.0], [3.0]]))[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_principal_components_equal_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    values = np.random.default_rng(1).normal(size=(12, 5)) * [5, 3, 2, 1, 1]
    reference = PCA(2, svd_solver="full").fit_transform(values)
    np.testing.assert_allclose(np.abs(projection.principal_components(values)), np.abs(reference), rtol=1e-5)


def test_maps_of_fewer_than_300_samples_compile_no_umap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "umap", lambda values: np.full((len(values), 2), 7.0, dtype=np.float32))
    few = projection.project(tmp_path, write(tmp_path, embeddings(299)))
    many = projection.project(tmp_path, write(tmp_path, embeddings(300)))
    assert few is not None
    assert many is not None
    assert (few.method, many.method) == ("PCA", "UMAP")


def test_few_samples_get_principal_components_that_are_kept(tmp_path: Path) -> None:
    table = write(tmp_path, embeddings(10))
    first = projection.project(tmp_path, table)
    assert first is not None
    assert first.method == "PCA"
    assert first.rows.tolist() == list(range(10))
    np.testing.assert_array_equal(
        first.coordinates["model"], projection.principal_components(projection.columns_of(table, "model"))
    )
    kept = (tmp_path / "projection.parquet").read_bytes()
    again = projection.project(tmp_path, table)
    assert again is not None
    np.testing.assert_array_equal(again.coordinates["pca"], first.coordinates["pca"])
    assert again.coordinates["pca"].dtype == first.coordinates["pca"].dtype
    assert (tmp_path / "projection.parquet").read_bytes() == kept


def test_kept_maps_are_used_and_those_of_other_embeddings_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write(tmp_path, embeddings(10))
    first = projection.project(tmp_path, table)
    assert first is not None
    monkeypatch.setattr(projection, "principal_components", lambda values: np.full((len(values), 2), 7.0, dtype=np.float32))
    kept = projection.project(tmp_path, table)
    assert kept is not None
    np.testing.assert_array_equal(kept.coordinates["model"], first.coordinates["model"])
    fresh = projection.project(tmp_path, write(tmp_path, embeddings(10, seed=1)))
    assert fresh is not None
    assert (fresh.coordinates["model"] == 7.0).all()
    (tmp_path / "projection.parquet").write_bytes(b"damaged")
    assert projection.project(tmp_path, table) is not None


def test_many_samples_are_thinned_by_a_fixed_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "MAX_SAMPLES", 20)
    monkeypatch.setattr(projection, "MIN_SAMPLES_FOR_UMAP", 20)
    monkeypatch.setattr(projection, "umap", lambda values: values[:, :2].astype(np.float32))
    table = embeddings(60)
    table.loc[5, "model_0"] = np.nan
    result = projection.project(tmp_path, write(tmp_path, table))
    assert result is not None
    assert result.method == "UMAP"
    assert len(np.unique(result.rows)) == 20
    assert 5 not in result.rows
    np.testing.assert_allclose(
        result.coordinates["pca"], projection.columns_of(table, "pca")[result.rows][:, :2].astype(np.float32)
    )
    (tmp_path / "projection.parquet").unlink()
    again = projection.project(tmp_path, table)
    assert again is not None
    assert again.rows.tolist() == result.rows.tolist()


def test_too_few_samples_or_no_columns(tmp_path: Path) -> None:
    assert projection.project(tmp_path, write(tmp_path, embeddings(2))) is None
    assert projection.project(tmp_path, write(tmp_path, pd.DataFrame({"sample_id": ["a", "b", "c"]}))) is None


def test_umap_repeats_itself_and_keeps_clusters_apart() -> None:
    random = np.random.default_rng(3)
    values = np.concatenate([random.normal(size=(20, 5)), random.normal(size=(20, 5)) + 30])
    placed = projection.umap(values)
    assert placed.shape == (40, 2)
    assert np.isfinite(placed).all()
    np.testing.assert_array_equal(placed, projection.umap(values))
    within = np.linalg.norm(placed[:20] - placed[:20].mean(axis=0), axis=1).max()
    assert np.linalg.norm(placed[:20].mean(axis=0) - placed[20:].mean(axis=0)) > within
