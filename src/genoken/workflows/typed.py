"""What was typed to begin a run, for its manifest."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def typed_command(function: str) -> str:
    """Return the command line that this process was started with, or the Python function's name where it was no command."""
    if Path(sys.argv[0]).stem in ("genoken", "__main__"):
        return shlex.join(["genoken", *sys.argv[1:]])
    return f"genoken.{function}(…)"
