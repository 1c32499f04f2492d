"""What a pretraining run starts from: how often each feature occurs among the train tokens."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from genoken.workflows.pretrain import pretrain

GENES = 12
SETTINGS = {
    "model.width": 8, "model.encoder.layers": 1, "model.encoder.heads": 2, "model.encoder.feed_forward": 8,
    "model.embedding.init": "random", "training.epochs": 1, "training.learning_rate": 1e-12, "training.average_decay": 0,
    "training.logger": "none",
}  # fmt: skip


@pytest.fixture
def adata() -> anndata.AnnData:
    """Forty samples; gene ``i`` is expressed in all but the first ``i`` of each ten."""
    counts = np.array([[5 + gene if row % 10 >= gene else 0 for gene in range(GENES - 2)] + [3, 4] for row in range(40)])
    names = [f"GENE{gene}" for gene in range(GENES)]
    samples = [f"s{row}" for row in range(40)]
    return anndata.AnnData(counts.astype(np.float32), pd.DataFrame(index=samples), pd.DataFrame(index=names))


def test_the_head_starts_from_the_train_tokens_of_each_gene(adata, tmp_path):
    settings = SETTINGS | {"tokenizer.kind": "rank", "objectives": ["masked_feature"], "model.linear_path": False}
    run = pretrain(adata, settings=settings, output=tmp_path / "run")
    words = pd.read_parquet(run.folder / "split.parquet")["fold_0"].to_numpy()
    expressed = (adata.X[words == "train"] > 0).sum(axis=0)[[adata.var_names.get_loc(name) for name in run.model.symbols]]
    logarithms = np.log(expressed + 1)
    bias = run.model.network.heads["masked_feature"].bias.detach()
    torch.testing.assert_close(bias, torch.tensor(logarithms - logarithms.mean(), dtype=torch.float32), atol=1e-5, rtol=0)
