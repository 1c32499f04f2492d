from __future__ import annotations

import pytest

from genoken.core.errors import ConfigError
from genoken.workflows.variant_options import VariantOptions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ("gradiant",)}, "no method 'gradiant'"),
        ({"methods": ("gradient", "ensemble")}, "no ensembles"),
        ({"methods": ()}, "no ensembles"),
        ({"seeds": 0}, "at least 1"),
        ({"null": -1}, "at least 0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        VariantOptions(**wrong)


def test_the_defaults_are_allowed():
    assert VariantOptions().null == 1
