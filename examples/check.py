"""Examine a file before anything is trained on it."""

import genoken

result = genoken.check("runs/cells.h5ad", label="cell_type", group="donor_id")
for finding in result["findings"]:
    print(finding["level"], finding["title"], finding["detail"])
print(result["suggestion"])
