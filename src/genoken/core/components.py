"""Families of interchangeable parts, found by listing folders.

In a family's folder every module whose name does not start with ``_`` defines exactly one public frozen dataclass, and the module's
name is the *kind* under which configurations, the command line and the documentation know it. Listing kinds reads the folder and
imports nothing, so that ``genoken --help`` answers at once.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
from pydantic.dataclasses import dataclass as pydantic_dataclass

from genoken.core.errors import ConfigError, suggestion

FAMILIES: dict[str, str] = {
    "readers": "genoken.readers",
    "tokenizers": "genoken.tokenizers",
    "splits": "genoken.data.splits",
    "encoders": "genoken.models.encoders",
    "objectives": "genoken.objectives",
    "baselines": "genoken.evaluation.baselines",
    "attributions": "genoken.interpretation.attributions",
}
_ROOT = Path(__file__).resolve().parent.parent


if TYPE_CHECKING:
    from dataclasses import dataclass as settings  # what a type checker shall take a settings class for
else:

    def settings(cls: type) -> type:
        """Turn a class into a settings object: a frozen, keyword-only, strictly typed dataclass that refuses unknown names.

        Every field must carry a default and be followed by its documentation as a string.
        """
        config = pydantic.ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True, arbitrary_types_allowed=True)
        return pydantic_dataclass(cls, frozen=True, kw_only=True, config=config)


def family_folder(family: str) -> Path:
    """Return the folder that holds a family's modules."""
    return _ROOT.joinpath(*FAMILIES[family].split(".")[1:])


def kinds(family: str) -> tuple[str, ...]:
    """Return the kinds of a family, sorted, without importing any of them."""
    return tuple(
        sorted(
            module.name
            for module in pkgutil.iter_modules([str(family_folder(family))])
            if not module.name.startswith("_") and not module.ispkg
        )
    )


def resolve(family: str, kind: str, *, where: str = "") -> type:
    """Import and return the settings class of one kind.

    Raises
    ------
    ConfigError
        When the family has no such kind; the message names the nearest ones.
    """
    known = kinds(family)
    if kind not in known:
        raise ConfigError(f"'{kind}' is not one of the {family}", where=where, remedy=suggestion(str(kind), known))
    module = importlib.import_module(f"{FAMILIES[family]}.{kind}")
    found = public_dataclasses(module)
    if len(found) != 1:
        raise TypeError(
            f"{module.__name__} must define exactly one public frozen dataclass, found {[cls.__name__ for cls in found]}"
        )
    return found[0]


def public_dataclasses(module: Any) -> list[type]:
    """Return the public dataclasses that ``module`` itself defines."""
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and inspect.isclass(value)
        and value.__module__ == module.__name__
        and dataclasses.is_dataclass(value)
    ]


def kind_of(component: Any) -> str:
    """Return the kind of a component: the name of the module that defines its class."""
    return type(component).__module__.rsplit(".", 1)[-1]


def component_to_dict(component: Any) -> dict[str, Any]:
    """Return a component as plain values, its kind first; the inverse of :func:`genoken.core.config.component_from_dict`.

    A field that is marked with pydantic's ``exclude`` cannot be written, and is left out.
    """
    known = component.__pydantic_fields__
    names = [field.name for field in dataclasses.fields(component) if not known[field.name].exclude]
    fields = {name: getattr(component, name) for name in names}
    return {"kind": kind_of(component)} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
    }
