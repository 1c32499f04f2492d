"""Each module of a family holds one public settings dataclass, fully documented, with a test of its own."""

from __future__ import annotations

import ast
import dataclasses

import pytest

from genoken.core import contracts
from genoken.core.components import FAMILIES, component_to_dict, family_folder, kinds, resolve
from genoken.core.config import component_from_dict

CONTRACTS = {
    "readers": contracts.Reader,
    "tokenizers": contracts.Tokenizer,
    "splits": contracts.Split,
    "encoders": contracts.Encoder,
    "objectives": (contracts.Objective, contracts.TokenObjective),
    "baselines": contracts.Baseline,
    "attributions": contracts.Attribution,
}
MEMBERS = [pytest.param(family, kind, id=f"{family}/{kind}") for family in FAMILIES for kind in kinds(family)]


def test_every_family_is_a_folder_with_members():
    assert {family: kinds(family) for family in FAMILIES if not kinds(family)} == {}


@pytest.mark.parametrize(("family", "kind"), MEMBERS)
def test_a_member_is_one_frozen_dataclass_that_keeps_its_contract(family, kind):
    cls = resolve(family, kind)
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.kw_only for field in dataclasses.fields(cls))
    assert issubclass(cls, CONTRACTS[family])


@pytest.mark.parametrize(("family", "kind"), MEMBERS)
def test_a_member_is_built_from_its_kind_alone_and_survives_a_round_trip(family, kind):
    member = component_from_dict(family, kind)
    content = component_to_dict(member)
    assert content["kind"] == kind
    assert component_from_dict(family, content) == member
    assert hash(member) == hash(component_from_dict(family, content))


@pytest.mark.parametrize(("family", "kind"), MEMBERS)
def test_a_member_has_a_test_of_its_own(family, kind, root, package):
    folder = root / "tests" / "unit" / family_folder(family).relative_to(package)
    test_file = folder / f"test_{kind}.py"
    assert test_file.is_file(), f"write {test_file.relative_to(root)}"
    names = [node.name for node in ast.walk(ast.parse(test_file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]
    assert any(name.startswith("test_") for name in names)


def is_settings(node: ast.ClassDef) -> bool:
    return any(ast.unparse(decorator).split("(")[0].split(".")[-1] == "settings" for decorator in node.decorator_list)


def undocumented_fields(tree: ast.Module) -> list[str]:
    """Return the settings fields that lack a default or are not followed by their documentation."""
    wrong = []
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and is_settings(node)):
        for node, following in zip(cls.body, [*cls.body[1:], None], strict=True):
            if not isinstance(node, ast.AnnAssign) or "ClassVar" in ast.unparse(node.annotation):
                continue
            documented = (
                isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant) and bool(following.value.value)
            )
            if node.value is None or not documented:
                wrong.append(f"{cls.name}.{ast.unparse(node.target)}")
    return wrong


def test_every_setting_has_a_default_and_a_sentence(sources):
    assert sum(is_settings(node) for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)) >= 6
    wrong = [f"{source.place}: {name}" for source in sources for name in undocumented_fields(source.tree)]
    assert not wrong, "\n".join(wrong)


def test_a_setting_without_a_sentence_would_be_found():
    tree = ast.parse('@settings\nclass A:\n    """A."""\n    x: int = 1\n    """X."""\n    y: int = 2\n    z: int\n    """Z."""\n')
    assert undocumented_fields(tree) == ["A.y", "A.z"]
