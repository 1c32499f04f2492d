"""What Lightning's trainer loads: training batches in seeded order, validation batches in fixed order."""

from __future__ import annotations

from typing import Generic

import lightning
import numpy as np

from genoken.core.batch import Batch
from genoken.core.config import TrainingSettings
from genoken.data.dataset import AnyPart
from genoken.data.order import balanced_order, cut_batches, epoch_order, share_of_rank, split_batches
from genoken.training.loader import BatchLoader
from genoken.training.task import Task


class TokenDataModule(lightning.LightningDataModule, Generic[AnyPart]):
    """Train and validation parts.

    Every optimizer step sees the same samples however many processes share it: a global batch of ``batch_size * processes`` samples
    is cut from one order and divided among the processes.

    Parameters
    ----------
    train, val
        The two parts.
    task
        What makes the batches.
    settings
        Batch sizes, seed, threads.
    """

    def __init__(
        self,
        train: AnyPart,
        val: AnyPart,
        task: Task[AnyPart],
        settings: TrainingSettings,
    ) -> None:
        super().__init__()
        self.train_part, self.val_part = train, val
        self.task = task
        self.settings = settings
        self._train_loader: BatchLoader | None = None
        self._lengths = train.lengths()
        self._counts: dict[int, int] = {}

    def follow(self, settings: TrainingSettings) -> None:
        """Take up other settings, before there are loaders."""
        self.settings = settings
        self._counts.clear()

    @property
    def loader(self) -> BatchLoader | None:
        """The training loader, once there is one."""
        return self._train_loader

    def _ranks(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)

    def plan(self, epoch: int, num_ranks: int = 1) -> list[np.ndarray]:
        """Return the rows of each global batch of an epoch."""
        batches = split_batches(self._cut(epoch, num_ranks), self._whole_count(num_ranks), smallest=num_ranks)
        return batches[: self.settings.limit_batches] if self.settings.limit_batches else batches

    def num_batches(self, num_ranks: int = 1) -> int:
        """Return the number of batches of every epoch."""
        count = self._whole_count(num_ranks)
        return min(count, self.settings.limit_batches) if self.settings.limit_batches else count

    def _whole_count(self, num_ranks: int) -> int:
        # With a token budget the number of batches would vary from epoch to epoch. Lightning needs one number; the largest of all
        # epochs leaves out no sample, and plan() brings the other epochs to it.
        if num_ranks not in self._counts:
            epochs = self.settings.epochs if self.settings.tokens_per_batch else 1
            self._counts[num_ranks] = max(len(self._cut(epoch, num_ranks)) for epoch in range(epochs))
        return self._counts[num_ranks]

    def _cut(self, epoch: int, num_ranks: int) -> list[np.ndarray]:
        settings = self.settings
        batches = cut_batches(
            self._order(epoch),
            self._lengths,
            batch_size=settings.samples_per_batch * num_ranks,
            tokens_per_batch=settings.tokens_per_batch * num_ranks,
        )
        if num_ranks > 1 and len(batches) > 1 and len(batches[-1]) < num_ranks:
            # Every process needs at least one sample of every batch.
            batches[-2:] = [np.concatenate(batches[-2:])]
        return batches

    def _order(self, epoch: int) -> np.ndarray:
        if not self.settings.balanced_sampling:
            return epoch_order(len(self.train_part), self.settings.seed, epoch)
        assert self.train_part.labels is not None  # noqa: S101
        return balanced_order(self.train_part.labels, self.settings.seed, epoch)

    def train_dataloader(self) -> BatchLoader:
        """Return the training loader; it prepares batches for this process."""
        rank, num_ranks = self._ranks()
        trainer = self.trainer
        assert trainer is not None  # noqa: S101

        def plan(epoch: int, first_batch: int) -> list[np.ndarray]:
            batches = self.plan(epoch, num_ranks)
            trainer.lightning_module.begin_epoch([len(rows) for rows in batches], first_batch)  # type: ignore[operator]
            return batches

        self._train_loader = BatchLoader(
            epoch=lambda: trainer.current_epoch,
            plan=plan,
            make=lambda rows, epoch: self._training_batch(rows, epoch, rank, num_ranks),
            num_batches=self.num_batches(num_ranks),
            num_threads=self.settings.num_workers,
        )
        return self._train_loader

    def _training_batch(self, rows: np.ndarray, epoch: int, rank: int, num_ranks: int) -> Batch:
        return self.task.training_batch(self.train_part, share_of_rank(rows, rank, num_ranks), epoch)

    def val_dataloader(self) -> BatchLoader:
        """Return the validation loader; every process goes through the whole part."""
        batches = self.task.validation_plan(len(self.val_part), self.settings.samples_per_pass)

        def make(chosen: np.ndarray, epoch: int) -> Batch:
            return self.task.validation_batch(self.val_part, chosen)

        return BatchLoader(epoch=lambda: 0, plan=lambda epoch, first_batch: batches, make=make, num_batches=len(batches))
