"""``python -m genoken``."""

from __future__ import annotations

import sys

from genoken.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
