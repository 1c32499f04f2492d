"""Examine a file before anything is trained on it."""

from pathlib import Path

import genoken
from genoken.synthetic import planted_markers

Path("runs").mkdir(exist_ok=True)
planted_markers(samples=240, features=60).write_h5ad("runs/cells.h5ad")
result = genoken.check("runs/cells.h5ad", label="cell_type", group="donor_id")
for finding in result["findings"]:
    print(finding["level"], finding["title"], finding["detail"])
print(result["suggestion"])
