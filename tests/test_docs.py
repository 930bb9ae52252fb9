"""Documentation that fails when it is stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gnn.catalogue import OPERATORS, PRESETS
from webapp.embedded import BASE_DIR
from webapp.services.baselines import BASELINES
from webapp.services.searches import CONTROLLER_NAMES

README = (BASE_DIR / "README.md").read_text()


def code_of(text: str) -> str:
    """Everything in code blocks and code spans."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return "\n".join(blocks + re.findall(r"`([^`\n]+)`", text))


def settings_variables() -> set[str]:
    source = (BASE_DIR / "webapp" / "settings.py").read_text()
    return set(re.findall(r'env_(?:text|int|bool)\(\s*"(\w+)"', source))


def test_every_setting_is_in_the_configuration_table() -> None:
    section = README.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert settings_variables() | {"RECSMITH_HOME", "RECSMITH_HOST", "RECSMITH_PORT"} <= rows
    code = "\n".join(file.read_text() for file in (BASE_DIR / "webapp").rglob("*.py")) + (BASE_DIR / "Procfile").read_text()
    assert not {name for name in rows if name not in code}, "documented, but nothing reads it"


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (BASE_DIR / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z]+)", code_of((BASE_DIR / page).read_text())))
        assert named
        assert named <= targets


def test_every_command_that_is_named_exists() -> None:
    folder = BASE_DIR / "webapp" / "management" / "commands"
    ours = {file.stem for file in folder.glob("*.py") if file.stem != "__init__"}
    pages = README + (BASE_DIR / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"manage\.py (\w+)", code_of(pages)))
    assert named <= ours | {"migrate", "help"}
    assert ours <= named, "a command that no page mentions"


@pytest.mark.parametrize("name", [*OPERATORS, *PRESETS, *CONTROLLER_NAMES, *BASELINES])
def test_every_name_a_person_may_choose_is_explained(name: str) -> None:
    assert f"`{name}`" in README


def test_files_that_are_named_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (BASE_DIR / page).read_text()
        linked = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
        for target in linked:
            assert Path(BASE_DIR / target).exists(), f"{page} links to {target}"
