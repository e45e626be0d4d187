"""What is kept of a probe comes back whole or not at all."""

import json
from dataclasses import replace

import pytest

from runner.store.capabilities import AWS, NOTHING, Capabilities


@pytest.mark.parametrize("kept", [AWS, NOTHING, replace(AWS, byte_order=False, probed_at=12.5, note="ü\n")])
def test_capabilities_survive_json(kept: Capabilities) -> None:
    assert Capabilities.from_json(kept.to_json()) == kept


@pytest.mark.parametrize(
    "changes",
    [{"create": 1}, {"versioning": "maybe"}, {"byte_order": "yes"}, {"probed_at": "now"}, {"more": True}, {"note": 3}],
)
def test_capabilities_of_another_version_are_asked_anew(changes: dict[str, object]) -> None:
    assert Capabilities.from_json(json.dumps(json.loads(AWS.to_json()) | changes)) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "{", '"create"', "[1"])
def test_capabilities_from_damaged_text_are_asked_anew(text: str) -> None:
    assert Capabilities.from_json(text) is None


def test_a_server_is_safe_only_when_creating_and_replacing_hold() -> None:
    assert AWS.is_safe
    assert not NOTHING.is_safe
    assert not replace(AWS, create=False).is_safe
    assert not replace(AWS, replace=False).is_safe
    assert replace(AWS, delete=False, complete=False, copy=False, checksums=False).is_safe
