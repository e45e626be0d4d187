"""Whether something outside the pair's own settings may name the S3 endpoint: then it is looked up first.

A folder's memory belongs to bucket, prefix and endpoint together: an environment that names another server is another
target.
"""

from collections.abc import Mapping
from pathlib import Path

from runner.config.settings import Pair


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the user's own config is (AWS_CONFIG_FILE, else ~/.aws/config); it need not exist."""
    named = environment.get("AWS_CONFIG_FILE")
    home = environment.get("HOME") or str(Path("~").expanduser())
    return Path(named.replace("~", home, 1) if named and named.startswith("~") else named or f"{home}/.aws/config")


def endpoint_may_be_elsewhere(pair: Pair, environment: Mapping[str, str]) -> bool:
    """The endpoint is not the pair's own word, and something else may name one."""
    if pair.endpoint_url:
        return False
    if any(name.startswith("AWS_ENDPOINT_URL") for name in environment):
        return True
    try:
        return "endpoint_url" in config_path(environment).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
