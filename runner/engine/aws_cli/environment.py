"""The environment of a run: the worker's own, without what would change the CLI's behaviour behind our back. Pure."""

from collections.abc import Mapping

from runner.config.settings import Pair
from runner.engine.aws_cli.aws_config import aws_config_text, needs_config

__all__ = ["aws_config_text", "needs_config", "run_environment"]

# What makes Python or a shell stop, talk or load other code, and what belongs to the runner alone.
_REMOVED = frozenset(
    {
        "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONDEBUG", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONDEVMODE",
        "PYTHONDUMPREFS", "PYTHONMALLOCSTATS", "PYTHONWARNINGS", "PYTHONBREAKPOINT", "PYTHONFAULTHANDLER",
        "BASH_ENV", "ENV", "BASH_XTRACEFD", "PS4", "SHELLOPTS", "BASHOPTS",
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
        "AWS_CLI_AUTO_PROMPT", "AWS_CLI_FILE_ENCODING", "AWS_CLI_LEGACY_PLUGIN_PATH", "AWS_DEFAULT_OUTPUT",
        "AWS_OUTPUT",
    }
)  # fmt: skip

_SET = {
    # A Go server answers `Expect: 100-continue` of an empty body late: 60 s a file without this.
    "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true",
    "AWS_PAGER": "",
    "AWS_CLI_AUTO_PROMPT": "off",
    "PYTHONUNBUFFERED": "1",
}


def run_environment(pair: Pair, base: Mapping[str, str], config_path: str | None = None) -> dict[str, str]:
    """base: the worker's environment. config_path: a generated config, see `aws_config`; None leaves the user's own.

    A variable that contradicts a key of the pair goes; flags would win anyway, but the CLI reads some variables early.
    """
    environment = {name: value for name, value in base.items() if not _is_removed(name)}
    if pair.profile or pair.role_arn:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            environment.pop(name, None)
    if pair.region:
        environment |= {"AWS_REGION": pair.region, "AWS_DEFAULT_REGION": pair.region}
    if pair.endpoint_url:
        environment.pop("AWS_ENDPOINT_URL_S3", None)
    if pair.ca_bundle:
        environment["AWS_CA_BUNDLE"] = str(pair.ca_bundle)
    if config_path is not None:
        environment["AWS_CONFIG_FILE"] = config_path
    return environment | _SET


def _is_removed(name: str) -> bool:
    return name in _REMOVED or name.startswith(("RUNNER_", "BASH_FUNC_"))
