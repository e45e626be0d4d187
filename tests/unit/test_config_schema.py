"""Schema, reference and samples are made from the models and stay in step with them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from runner.config.encoding import dump, parse
from runner.config.loading import load
from runner.config.reference import markdown
from runner.config.schema import json_schema
from runner.config.settings import Pair
from runner.config.shapes import SECTIONS, keys_of

ROOT = Path(__file__).parents[2]
SAMPLES = (ROOT / "config/sync.minimal.yaml", ROOT / "config/sync.full.yaml")


def errors(config: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(config)]


def test_schema_is_a_valid_schema_and_json() -> None:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_sample_passes_schema_and_loader_and_survives_encoding(sample: Path) -> None:
    assert errors(yaml.safe_load(sample.read_text())) == []
    settings = load(sample, {})
    assert parse(dump(settings)) == settings
    assert dump(parse(dump(settings))) == dump(settings)


def test_full_sample_names_every_key() -> None:
    config = yaml.safe_load(SAMPLES[1].read_text())
    named = {key for pair in config["pairs"] for key in pair}
    assert set(keys_of(Pair)) - named == set()
    for section, model in SECTIONS.items():
        assert set(config[section]) == set(keys_of(model))


def test_contract_sample_passes_schema() -> None:
    text = (
        "pairs:\n"
        "  - {bucket: my-bucket, folder: /data/uploads, mode: two-way}\n"
        '  - {name: site, bucket: "s3://assets/site/", folder: ./public, mode: push, every: 5m, delete: true}\n'
        "supervisor: {ready_timeout: none, max_concurrent_passes: null}\n"
        "defaults: {trash: off, max_change: off, delete: '${DELETE:-false}', file_mode: 0640, at: ['02:30']}\n"
    )
    assert errors(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "pushh"},
        {"every": 30},
        {"every": "30"},
        {"delet": True},
        {"delete": "perhaps"},
        {"trash": {"kep": "7d"}},
        {"max_delete": "half"},
        {"folder": None, "bucket": 5},
    ],
)
def test_schema_refuses_what_the_loader_refuses(change: dict[str, Any]) -> None:
    pair = {"bucket": "my-bucket", "folder": "x", "mode": "push"}
    assert errors({"pairs": [pair]}) == []
    assert errors({"pairs": [{**pair, **change}]})


def test_schema_wants_bucket_folder_and_mode_unless_there_are_defaults() -> None:
    assert errors({"pairs": [{"bucket": "my-bucket", "folder": "x"}]})
    assert errors({"pairs": [{"folder": "x"}], "defaults": {"bucket": "my-bucket", "mode": "pull"}}) == []


def test_every_key_has_a_description() -> None:
    models: list[type[BaseModel]] = [Pair, *SECTIONS.values()]
    for model in models:
        assert all(field.description for field in model.model_fields.values())


def test_reference_page_is_fresh() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    assert page == markdown(), "docs/configuration.md is stale: run `make docs`"


def test_reference_names_every_key() -> None:
    page = markdown()
    for model in (Pair, *SECTIONS.values()):
        for key in keys_of(model):
            assert f"`{key}`" in page or f"`{key}." in page
