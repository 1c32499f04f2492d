"""Samples to tokens and back: by hand, in a round trip, and in a torch DataLoader."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import genoken
from genoken.core.errors import ConfigError, DataError
from genoken.core.layout import MASK_CATEGORY, MASK_ID
from genoken.objectives.masked_feature import MaskedFeatureObjective
from genoken.tokenizers.rank import RankTokenizer
from genoken.workflows.encoder import Encoder

COUNTS = np.array([[9, 0, 3, 1], [0, 4, 4, 0], [1, 2, 3, 8]], dtype=np.float32)
RAW_BINS = {"kind": "binned", "target_sum": 0.0, "log": False}


@pytest.fixture
def three() -> anndata.AnnData:
    """Three cells of four genes, with a symbol for each."""
    adata = anndata.AnnData(COUNTS.copy())
    adata.obs_names, adata.var_names = ["x", "y", "z"], [f"ENSG0000000000{number}" for number in range(1, 5)]
    adata.var["gene_symbol"] = ["A", "B", "C", "D"]
    adata.obs["tissue"] = ["blood", None, "skin"]
    return adata


def of_features(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["kind"] == "feature"]


def test_ranks_by_hand(three):
    encoder = Encoder.fit(three, tokenizer={"kind": "rank", "scale": "none"})
    found = encoder.decode(encoder.encode(three).batch(np.arange(3)), three.obs_names)
    assert list(found) == ["row", "sample_id", "position", "kind", "feature_id", "symbol", "rank"]
    assert found["kind"].tolist() == ["cls", *["feature"] * 3, "cls", *["feature"] * 2, "cls", *["feature"] * 4]
    assert found["symbol"].tolist() == ["", "A", "C", "D", "", "B", "C", "", "D", "C", "B", "A"]
    assert found["row"].tolist() == [0] * 4 + [1] * 3 + [2] * 5
    assert found["sample_id"].tolist() == ["x"] * 4 + ["y"] * 3 + ["z"] * 5
    assert found["position"].tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 4]
    assert of_features(found)["rank"].tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert found["rank"].isna().tolist() == [kind == "cls" for kind in found["kind"]]
    assert found["feature_id"][1] == "ENSG00000000001"


def test_phenotypes_and_bins_by_hand(three):
    encoder = Encoder.fit(three, tokenizer=RAW_BINS | {"edges": [1.0, 5.0]}, phenotypes=["tissue"])
    found = encoder.decode(encoder.encode(three)[1])
    assert found["kind"].tolist() == ["cls", "phenotype", "feature", "feature", "separator"]
    assert found["feature_id"].tolist()[:2] == ["", "tissue"]
    assert found["phenotype"].tolist() == ["", "unknown", "", "", ""]
    assert encoder.decode(encoder.encode(three)[2])["phenotype"][1] == "skin"
    table = of_features(encoder.decode(encoder.encode(three).batch(np.arange(3))))
    back = table.pivot(index="row", columns="symbol", values="bin").fillna(0).to_numpy(dtype=float)
    assert back.tolist() == [[2, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 2]]


def test_values_come_back(three):
    encoder = Encoder.fit(three, tokenizer={"kind": "continuous", "hvgs": 0})
    found = of_features(encoder.decode(encoder.encode(three).batch(np.arange(3))))
    back = found.pivot(index="row", columns="symbol", values="value").fillna(0).to_numpy()
    np.testing.assert_allclose(back, np.log1p(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4), rtol=1e-5)


def test_ranks_of_a_panel_in_gene_order(three):
    settings = {"kind": "rank", "values": "all", "order": "gene_order", "scale": "none"}
    encoder = Encoder.fit(three, tokenizer=settings)
    found = of_features(encoder.decode(encoder.encode(three).batch(np.arange(3))))
    assert found["symbol"].tolist() == list("ABCD") * 3
    assert found["rank"].tolist() == [0, 3, 1, 2, 2, 0, 1, 3, 3, 2, 1, 0]


def test_a_round_trip_of_many_cells_gives_genes_and_their_order_back(cells):
    encoder = Encoder.fit(cells, tokenizer="rank")
    found = of_features(encoder.decode(encoder.encode(cells).batch(np.arange(90)), cells.obs_names))
    dense = pd.DataFrame(cells.X.toarray() / encoder.state.per_feature["median"], index=cells.obs_names, columns=cells.var_names)
    dense = (dense.T / cells.X.toarray().sum(axis=1)).T
    for name, own in found.groupby("sample_id"):
        values = dense.loc[name, own["feature_id"]].to_numpy()
        assert (np.diff(values) <= 1e-9).all()
        assert set(own["feature_id"]) == set(dense.columns[dense.loc[name] > 0])


def test_hidden_tokens_are_not_told(three):
    encoder = Encoder.fit(three, tokenizer=RAW_BINS | {"edges": [1.0]}, phenotypes=["tissue"])
    batch = encoder.encode(three).batch(np.array([0]))
    batch.channels["feature"][2], batch.channels["bin"][3], batch.channels["phenotype"][1] = MASK_ID, MASK_CATEGORY, MASK_CATEGORY
    found = encoder.decode(batch)
    assert found["kind"].tolist() == ["cls", "phenotype", "mask", "feature", "feature", "separator"]
    assert found["symbol"].tolist() == ["", "tissue", "", "C", "D", ""]
    assert found["bin"].isna().tolist() == [True, True, False, True, False, True]
    assert found["phenotype"][1] == ""


# --- loading ---


def assert_same_batch(one, other):
    assert one.lengths == other.lengths
    assert set(one.channels) == set(other.channels)
    for name, channel in other.channels.items():
        assert torch.equal(one.channels[name], channel)
        assert one.channels[name].dtype == channel.dtype
    assert torch.equal(one.offsets, other.offsets)
    assert one.offsets.dtype == other.offsets.dtype
    assert torch.equal(one.rows, other.rows)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_torch_loader_gives_the_batches_of_our_own(workers, cells):
    dataset = Encoder.fit(cells, tokenizer="binned", phenotypes=["cell_type"]).encode(cells)
    assert isinstance(dataset, Dataset)
    assert genoken.collate([dataset[3], dataset[-1]]).rows.tolist() == [3, 89]
    order = np.random.default_rng(0).permutation(90)
    loader = DataLoader(dataset, batch_size=32, sampler=order.tolist(), collate_fn=genoken.collate, num_workers=workers)
    batches = list(loader)
    assert len(batches) == 3
    for number, batch in enumerate(batches):
        assert_same_batch(batch, dataset.batch(order[32 * number : 32 * (number + 1)]))


def test_masks_in_a_loop_of_ones_own_are_those_of_ours(cells):
    encoder = Encoder.fit(cells, tokenizer="rank")
    dataset, objective = encoder.encode(cells), MaskedFeatureObjective()
    draw = objective.draw(seed=3, epoch=1, num_epochs=2)
    whole = objective.hide(dataset.batch(np.arange(8)), encoder.layout, draw)
    part = objective.hide(genoken.collate([dataset[row] for row in (4, 5)]), encoder.layout, draw)
    first, last = int(whole.offsets[4]), int(whole.offsets[6])
    assert part.channels["feature"].tolist() == whole.channels["feature"][first:last].tolist()


def test_a_network_for_ones_own_loop_learns(cells):
    encoder = Encoder.fit(cells, tokenizer="rank")
    dataset, objective = encoder.encode(cells), MaskedFeatureObjective(probability=0.5)
    network = encoder.network([objective], {"width": 16, "encoder": {"layers": 1, "heads": 2, "dropout": 0.0}}, seed=4)
    batch = objective.hide(dataset.batch(np.arange(64)), encoder.layout, objective.draw(seed=0, epoch=0, num_epochs=1))
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=0.01), []
    for _ in range(15):
        loss = objective.loss(network(batch)["masked_feature"], batch, encoder.layout).mean
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(40), abs=1.0)
    assert losses[-1] < losses[0] - 0.3
    with pytest.raises(ConfigError, match=r"unknown option 'model\.widht' — did you mean 'width'"):
        encoder.network([objective], {"widht": 8})


def test_rows_that_are_not_there(cells):
    dataset = Encoder.fit(cells, tokenizer="rank").encode(cells)
    for row in (90, -91):
        with pytest.raises(IndexError, match=f"row {row} of 90 samples"):
            dataset[row]


# --- other files ---


def test_genes_of_another_file_are_found_by_id_or_symbol(three):
    encoder = Encoder.fit(three, tokenizer={"kind": "rank", "scale": "none"})
    other = three[:, ::-1].copy()
    other.var_names = other.var.pop("gene_symbol")
    expected = encoder.decode(encoder.encode(three).batch(np.arange(3)))
    pd.testing.assert_frame_equal(encoder.decode(encoder.encode(other).batch(np.arange(3))), expected)
    with pytest.raises(DataError, match="too few genes in common: 1 of 4 genes found"):
        encoder.encode(three[:, :1].copy())
    assert encoder.encode(three[:, :1].copy(), min_coverage=0.2).lengths().tolist() == [2, 1, 2]


def test_the_encoder_of_a_run_is_the_runs_own(run, pretrained, cells, cells_file):
    for made in (run, pretrained):
        assert made.encoder.state.feature_ids == made.model.state.feature_ids
        found = made.encoder.decode(made.encoder.encode(cells_file)[0], cells.obs_names)
        assert set(found["sample_id"]) == {cells.obs_names[0]}
    assert "phenotype" in pretrained.encoder.decode(pretrained.encoder.encode(cells)[0])


def test_settings_may_be_an_object_and_wrong_ones_are_refused(three):
    assert Encoder.fit(three, tokenizer=RankTokenizer(scale="none")).tokenizer == RankTokenizer(scale="none")
    with pytest.raises(ConfigError, match="'ranks' is not one of the tokenizers — did you mean 'rank'"):
        Encoder.fit(three, tokenizer="ranks")
    with pytest.raises(ConfigError, match=r"unknown option 'tokenizer\.scales'"):
        Encoder.fit(three, tokenizer={"kind": "rank", "scales": "none"})
    with pytest.raises(DataError, match="there is no phenotype column 'organ'"):
        Encoder.fit(three, phenotypes=["organ"])
    assert Encoder.fit(three, tokenizer={"kind": "rank", "max_tokens": 6}, phenotypes=["tissue"]).layout.max_tokens == 6
