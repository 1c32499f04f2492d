"""Which samples make up each batch, on one process and on several."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from genoken.core.config import TrainingSettings
from genoken.core.errors import ConfigError
from genoken.data.order import balanced_order, cut_batches, epoch_order
from genoken.training.datamodule import TokenDataModule
from genoken.training.task import SupervisedTask


@pytest.fixture
def data_of(dataset, objective, target):
    def build(token_dropout=0.0, **settings):
        chosen = TrainingSettings(**settings)
        task = SupervisedTask(objective, target, chosen, len(dataset), dataset.labels, None, token_dropout)
        return TokenDataModule(dataset, dataset, task, chosen)

    return build


def as_lists(batches):
    return [batch.tolist() for batch in batches]


def test_an_epochs_batches_are_cut_from_its_order(data_of):
    data = data_of(batch_size=5, epochs=2, seed=3)
    assert as_lists(data.plan(1)) == as_lists(cut_batches(epoch_order(12, 3, 1), np.zeros(12), batch_size=5))
    assert [len(batch) for batch in data.plan(1)] == [5, 5, 2]
    assert data.num_batches() == 3


@pytest.mark.parametrize("tokens_per_batch", [0, 24])
def test_balanced_epochs_show_every_class_equally_often(data_of, dataset, tokens_per_batch):
    data = data_of(batch_size=4, tokens_per_batch=tokens_per_batch, epochs=6, seed=3, balanced_sampling=True)
    labels = np.array([0] * 9 + [1] * 2 + [2])
    data.train_part = dataclasses.replace(dataset, labels=labels)
    for epoch in range(6):
        batches = data.plan(epoch)
        assert len(batches) == data.num_batches()
        rows = np.concatenate(batches)
        assert rows.tolist() == balanced_order(labels, 3, epoch).tolist()
        assert np.bincount(labels[rows]).tolist() == [4, 4, 4]


def test_several_processes_share_batches_as_many_times_larger(data_of):
    small, large = data_of(batch_size=2, epochs=1, seed=3), data_of(batch_size=6, epochs=1, seed=3)
    assert as_lists(small.plan(0, num_ranks=3)) == as_lists(large.plan(0))
    assert small.num_batches(3) == 2


def test_every_process_has_a_sample_of_every_batch(data_of):
    data = data_of(batch_size=4, epochs=1)
    # 12 samples in global batches of 8 leave 4; in those of 11 they would leave 1, which joins the batch before.
    assert [len(batch) for batch in data.plan(0, num_ranks=2)] == [8, 4]
    assert [len(batch) for batch in data_of(batch_size=1, epochs=1).plan(0, num_ranks=11)] == [12]


@pytest.mark.parametrize("tokens_per_batch", [13, 16, 20, 24])
def test_all_epochs_have_one_number_of_batches_and_every_sample(data_of, tokens_per_batch):
    data = data_of(batch_size=5, tokens_per_batch=tokens_per_batch, epochs=12, seed=1)
    uneven = {
        len(cut_batches(epoch_order(12, 1, epoch), np.arange(2, 14), batch_size=5, tokens_per_batch=tokens_per_batch))
        for epoch in range(12)
    }
    assert len(uneven) > 1
    for epoch in range(12):
        batches = data.plan(epoch)
        assert len(batches) == data.num_batches() == max(uneven)
        assert sorted(np.concatenate(batches)) == list(range(12))
        assert max(int((batch + 2).sum()) for batch in batches) <= tokens_per_batch  # sample n has n + 2 tokens
        assert max(len(batch) for batch in batches) <= 5
        assert min(len(batch) for batch in batches) >= 1


def test_a_sample_beyond_the_budget_is_refused(data_of):
    with pytest.raises(ConfigError, match="one sample has 13 tokens"):
        data_of(tokens_per_batch=12, epochs=1).num_batches()


def test_a_limit_cuts_an_epoch_short(data_of):
    data = data_of(batch_size=2, epochs=2, limit_batches=2, seed=3)
    assert data.num_batches() == 2
    assert as_lists(data.plan(1)) == as_lists(data_of(batch_size=2, epochs=2, seed=3).plan(1))[:2]
    assert data_of(batch_size=2, epochs=2, limit_batches=99).num_batches() == 6


def test_validation_batches_hold_every_sample_in_order_with_its_target(data_of, dataset):
    batches = list(data_of(batch_size=2).val_dataloader())
    assert [batch.rows.tolist() for batch in batches] == [list(range(8)), list(range(8, 12))]
    assert [batch.targets["classes"].tolist() for batch in batches] == [[0, 1] * 4, [0, 1] * 2]
    assert [len(batch.lengths) for batch in data_of(batch_size=2, eval_batch_size=5).val_dataloader()] == [5, 5, 2]


def test_training_batches_have_targets_and_hidden_tokens(data_of, dataset):
    data = data_of(token_dropout=0.5, seed=3)
    rows = np.array([7, 2, 11, 4])
    whole = data._training_batch(rows, epoch=1, rank=0, num_ranks=1)
    assert whole.rows.tolist() == rows.tolist()
    assert whole.targets["classes"].tolist() == [1, 0, 1, 0]
    expected = dataset.training_batch(rows, token_dropout=0.5, seed=3, epoch=1)
    assert whole.visible.tolist() == expected.visible.tolist()
    shares = [data._training_batch(rows, epoch=1, rank=rank, num_ranks=2) for rank in range(2)]
    assert [share.rows.tolist() for share in shares] == [[7, 11], [2, 4]]
    assert shares[0].targets["classes"].tolist() == [1, 1]
    # What is hidden of a sample does not depend on the process that works on it.
    assert (
        dict(zip([7, 11], shares[0].visible_lengths, strict=True)).items()
        <= dict(zip(rows.tolist(), whole.visible_lengths, strict=True)).items()
    )


def test_a_validation_part_needs_labels(dataset, objective, target):
    unlabeled = dataclasses.replace(dataset, labels=None)
    task = SupervisedTask(objective, target, TrainingSettings(), len(dataset), np.zeros(0), None)
    data = TokenDataModule(dataset, unlabeled, task, TrainingSettings())
    with pytest.raises(AssertionError):
        next(iter(data.val_dataloader()))
