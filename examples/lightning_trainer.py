"""Pretrain with a Lightning trainer of one's own, which decides epochs, devices, precision and callbacks."""

import lightning

import genoken

model, data = genoken.training_parts("runs/cells.h5ad", preset="geneformer_small", settings={"model.width": 32}, group="donor_id")
lightning.Trainer(max_epochs=2, default_root_dir="runs/lightning").fit(model, data)
print(f"validation loss {model.trainer.callback_metrics['val_loss']:.2f}")
