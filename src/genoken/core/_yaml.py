"""YAML with the scalars of YAML 1.2.

PyYAML follows YAML 1.1, where ``1e-4`` is a string, ``no`` is false, ``010`` is eight, ``1:30`` is ninety and ``2024-01-01`` is a
date. Here only ``true`` and ``false`` are booleans, every usual spelling of a number is that number, and the rest are strings. A
name that stands twice in a mapping is an error instead of a silent overwrite.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    (
        "float",
        re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
        list("-+.0123456789"),
    ),
)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, pattern, first_characters in _SCALARS:
        for character in first_characters:
            table.setdefault(character, []).append((_PREFIX + name, pattern))
    return table


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2, refusing repeated names."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = _resolvers()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; raise when a name stands in it twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _construct_integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


_Loader.add_constructor(f"{_PREFIX}int", _construct_integer)


class _Dumper(yaml.SafeDumper):
    """The safe dumper that quotes exactly the strings that :class:`_Loader` would read as something else."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = _resolvers()


def load(text: str) -> Any:
    """Read one YAML document; raises :class:`yaml.YAMLError` when it is not YAML. No tag can run code."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (a subclass of the safe loader)


def dump(content: Any) -> str:
    """Write plain values as YAML that :func:`load` takes back unchanged."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
