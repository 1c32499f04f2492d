"""Families: kinds are the folder's modules, and each resolves to its one settings class."""

from __future__ import annotations

import dataclasses
import sys
import types

import pydantic
import pytest

from genoken.core import components
from genoken.core.components import (
    FAMILIES,
    component_to_dict,
    family_folder,
    kind_of,
    kinds,
    public_dataclasses,
    resolve,
    settings,
)
from genoken.core.errors import ConfigError

MEMBER = '''
from genoken.core.components import settings

@settings
class {name}:
    """A part."""

    size: int = 3
    """A size."""
    sizes: tuple[int, ...] = (1, 2)
    """Some sizes."""
'''


@pytest.fixture
def family(tmp_path, monkeypatch) -> str:
    """A family of its own: parts_for_test with the members alpha and beta_two, a private module, a folder and a broken module."""
    folder = tmp_path / "parts_for_test"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Parts."""')
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "_shared.py").write_text("")
    (folder / "beta_two.py").write_text(MEMBER.format(name="BetaTwo"))
    (folder / "alpha.py").write_text(MEMBER.format(name="Alpha"))
    (folder / "two_classes.py").write_text(MEMBER.format(name="One") + MEMBER.format(name="Two"))
    (folder / "explodes.py").write_text("raise RuntimeError('imported')")
    (folder / "notes.txt").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(FAMILIES, "parts", "parts_for_test")
    monkeypatch.setattr(components, "family_folder", lambda family: folder)
    yield "parts"
    for name in [name for name in sys.modules if name.startswith("parts_for_test")]:
        del sys.modules[name]


def test_kinds_are_the_public_modules_sorted_and_not_imported(family):
    assert kinds(family) == ("alpha", "beta_two", "explodes", "two_classes")
    assert "parts_for_test" not in sys.modules


def test_every_family_has_a_folder():
    assert [name for name in FAMILIES if not (family_folder(name) / "__init__.py").is_file()] == []


def test_a_kind_resolves_to_its_class(family):
    cls = resolve(family, "beta_two")
    assert cls.__name__ == "BetaTwo"
    assert kind_of(cls()) == "beta_two"


def test_an_unknown_kind_is_an_error_with_the_nearest(family):
    with pytest.raises(ConfigError) as caught:
        resolve(family, "alpa", where="c.yaml: tokenizer")
    assert str(caught.value) == "c.yaml: tokenizer: 'alpa' is not one of the parts — did you mean 'alpha'?"
    with pytest.raises(ConfigError, match="known: alpha, beta_two, explodes, two_classes"):
        resolve(family, "zzz")
    with pytest.raises(ConfigError, match="'_shared' is not one of the parts"):
        resolve(family, "_shared")


def test_a_module_with_two_public_classes_is_a_defect(family):
    with pytest.raises(TypeError, match=r"exactly one public frozen dataclass, found \['One', 'Two'\]"):
        resolve(family, "two_classes")


def test_a_member_as_plain_values_starts_with_its_kind(family):
    member = resolve(family, "alpha")(sizes=(5,))
    assert list(component_to_dict(member).items()) == [("kind", "alpha"), ("size", 3), ("sizes", [5])]


def test_only_own_public_dataclasses_count():
    module = types.ModuleType("example")

    def define(name: str, home: str = "example") -> type:
        cls = dataclasses.make_dataclass(name, ["x"])
        cls.__module__ = home
        setattr(module, name, cls)
        return cls

    own = define("Own")
    define("_Private")
    define("Imported", home="elsewhere")
    module.function = lambda: None  # type: ignore[attr-defined]
    module.Plain = type("Plain", (), {"__module__": "example"})  # type: ignore[attr-defined]
    assert public_dataclasses(module) == [own]


@settings
class Example:
    """An example."""

    size: int = 3
    """A size."""
    rate: float = 0.5
    """A rate."""


def test_settings_are_values():
    assert Example(size=4) == Example(size=4)
    assert hash(Example(size=4)) == hash(Example(size=4))
    assert Example(size=4) != Example(size=5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Example().size = 5  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [{"size": "3"}, {"size": 3.0}, {"size": None}, {"rate": "0.1"}, {"sise": 3}])
def test_settings_are_strict(wrong):
    with pytest.raises(pydantic.ValidationError):
        Example(**wrong)


def test_settings_take_keywords_only_and_whole_numbers_for_real_ones():
    with pytest.raises(pydantic.ValidationError):
        Example(3)  # type: ignore[misc]
    assert Example(rate=1).rate == 1.0
