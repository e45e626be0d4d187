"""docs/guarantees.md names a test for each promise: every one of them must exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST_ID = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_guarantees_page_names_only_tests_that_exist() -> None:
    named = _TEST_ID.findall((ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8"))
    assert len(named) > 50
    missing = [f"{path}::{name}" for path, name in named if not defines(ROOT / path, name)]
    assert missing == []


def test_guarantees_page_speaks_of_every_known_hazard() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    assert [number for number in range(1, 15) if not re.search(rf"\*\*D{number}\b", page)] == []


def defines(path: Path, name: str) -> bool:
    return path.is_file() and re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
