"""``genoken devices``: what this machine computes with."""

from __future__ import annotations

from typing import Any

from genoken.cli.options import AsJson, write_json


def command(as_json: AsJson = False) -> None:
    """Say which devices there are, and which precision and attention backend would be used on each, and why."""
    from genoken.workflows.devices import devices, versions
    from genoken.workflows.show import Show

    found = devices()
    if as_json:
        write_json({"versions": versions(), "devices": found})
        return
    show = Show()
    show.line(", ".join(f"{name} {version}" for name, version in versions().items()))
    for device in found:
        show.line()
        show.strong(f"{device['device']}: {device['name']}")
        for name, text in _facts(device):
            show.line(f"  {name:<20}{text}")
    show.line()
    show.line(f"Training would use {found[-1]['device'] if len(found) == 1 else 'the first CUDA device'}.")


def _facts(device: dict[str, Any]) -> list[tuple[str, str]]:
    capability = device["compute_capability"]
    return [
        *([("compute capability", capability)] if capability else []),
        ("memory", f"{device['memory_gb']:.1f} GB"),
        ("native bf16", "yes" if device["bf16"] else "no"),
        ("precision auto", f"{device['precision']} ({device['precision_reason']})"),
        ("attention auto", f"{device['attention_backend']} ({device['reason']})"),
    ]
