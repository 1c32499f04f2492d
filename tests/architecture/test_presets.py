"""Every preset is a configuration that the strict schema accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from genoken.core.config import RunConfig, build, merge, read_yaml, to_dict

FOLDER = Path(__file__).resolve().parents[2] / "src" / "genoken" / "presets"
PRESETS = [pytest.param(path, id=path.stem) for path in sorted(FOLDER.glob("*.yaml"))]


@pytest.mark.parametrize("path", PRESETS)
def test_preset_is_accepted_and_changes_something(path):
    config = build(RunConfig, read_yaml(path), where=str(path))
    assert isinstance(config, RunConfig)
    assert build(RunConfig, to_dict(config)) == config
    assert build(RunConfig, merge(to_dict(build(RunConfig, {})), read_yaml(path))) == config
