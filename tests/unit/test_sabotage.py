"""The table of safeguards fits the source: an entry that no longer does would take nothing away."""

from pathlib import Path

import pytest

from tests.sabotage.safeguards import Safeguard, safeguards
from tests.unit.test_guarantees import defines

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("one", safeguards(), ids=lambda one: one.name)
def test_safeguard_of_the_table_stands_once_in_the_source_and_its_tests_exist(one: Safeguard) -> None:
    sabotaged = one.without((ROOT / one.file).read_text(encoding="utf-8"))
    compile(sabotaged, one.file, "exec")
    named = [test.partition("[")[0].partition("::") for test in one.tests]
    assert named
    assert [test for path, _, test in named if not defines(ROOT / path, test)] == []


def test_safeguards_of_the_table_have_names_of_their_own() -> None:
    names = [one.name for one in safeguards()]
    assert sorted(set(names)) == sorted(names)
