"""When the endpoint must be told to a run, because an old AWS CLI would not find it."""

from pathlib import Path

import pytest

from runner.config.settings import Mode, Pair
from runner.engine.endpoint import endpoint_may_be_elsewhere


def _pair(**keys: object) -> Pair:
    known = {"name": "p", "bucket": "bkt", "folder": Path("/data"), "mode": Mode.PUSH, "every": None, "watch": False}
    return Pair.model_validate(known | {"engine": "aws-cli", "symlinks": "follow", "required": False} | keys)


@pytest.mark.parametrize(
    ("own", "environment", "config", "wanted"),
    [
        (None, {}, None, False),
        (None, {"AWS_REGION": "eu-central-1"}, "[default]\nregion = eu-central-1\n", False),
        (None, {"AWS_ENDPOINT_URL": "http://s3"}, None, True),
        (None, {"AWS_ENDPOINT_URL_S3": "http://s3"}, None, True),
        (None, {}, "[default]\nendpoint_url = http://s3\n", True),
        (None, {}, "[services x]\ns3 =\n  endpoint_url = http://s3\n", True),
        ("http://own", {"AWS_ENDPOINT_URL": "http://s3"}, "endpoint_url = http://s3\n", False),
    ],
)
def test_endpoint_is_looked_up_only_where_somebody_may_name_one(
    own: str | None, environment: dict[str, str], config: str | None, wanted: bool, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    if config is not None:
        path.write_text(config)
    here = environment | {"AWS_CONFIG_FILE": str(path)}
    assert endpoint_may_be_elsewhere(_pair(endpoint_url=own), here) is wanted
