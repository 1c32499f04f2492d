"""Train in a loop of one's own: token sequences as a torch Dataset, masks and losses from the library."""

import torch

import genoken
from genoken.objectives.masked_feature import MaskedFeatureObjective

encoder = genoken.Encoder.fit("runs/cells.h5ad", tokenizer="rank")
dataset, objective = encoder.encode("runs/cells.h5ad"), MaskedFeatureObjective()
network = encoder.network([objective], {"width": 32})
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
for step, batch in enumerate(torch.utils.data.DataLoader(dataset, batch_size=50, shuffle=True, collate_fn=genoken.collate)):
    hidden = objective.hide(batch, encoder.layout, objective.draw(seed=0, epoch=step, num_epochs=1))
    loss = objective.loss(network(hidden)["masked_feature"], hidden, encoder.layout).mean
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: cross-entropy {loss.item():.2f}", encoder.decode(dataset[step])["symbol"][1:4].tolist())
