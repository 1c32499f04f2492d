"""Every preset is a configuration that the strict schema accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from genoken.core.config import PretrainConfig, RunConfig, build, merge, read_yaml, to_dict

FOLDER = Path(__file__).resolve().parents[2] / "src" / "genoken" / "presets"
PRESETS = [pytest.param(path, id=path.stem) for path in sorted(FOLDER.glob("*.yaml"))]


@pytest.mark.parametrize("path", PRESETS)
def test_preset_is_accepted_and_changes_something(path):
    content = read_yaml(path)
    schema = PretrainConfig if "objectives" in content else RunConfig
    config = build(schema, content, where=str(path))
    assert isinstance(config, schema)
    assert config != build(schema, {})
    assert build(schema, to_dict(config)) == config
    assert build(schema, merge(to_dict(build(schema, {})), content)) == config
