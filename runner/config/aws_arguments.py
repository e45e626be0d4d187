"""`aws_args`: what may be handed to `aws s3 sync` as it is, and what is ours. Pure.

Source: the ARG_TABLE of `aws s3 sync` in AWS CLI 1.46 and its global options. The CLI takes abbreviations of its
options (argparse), so the beginning of an owned option is refused like the option itself.
"""

import re
from collections.abc import Iterator

from runner.config.values import shown

_COUNTS = "is needed by the runner to follow a run"
# option -> what to do instead
OWNED = {
    "--delete": "use delete: true",
    "--dryrun": "use the command 'runner plan'",
    "--exclude": "use exclude",
    "--include": "use include",
    "--follow-symlinks": "use symlinks: follow",
    "--no-follow-symlinks": "use symlinks: skip",
    "--acl": "use acl",
    "--sse": "use sse",
    "--sse-kms-key-id": "use sse_kms_key_id",
    "--storage-class": "use storage_class",
    "--request-payer": "use request_payer",
    "--endpoint-url": "use endpoint_url",
    "--profile": "use profile",
    "--region": "use region",
    "--ca-bundle": "use ca_bundle",
    "--no-verify-ssl": "use ca_bundle with the server's certificate",
    "--quiet": f"the CLI's output {_COUNTS}",
    "--only-show-errors": f"the CLI's output {_COUNTS}",
    "--no-progress": f"the CLI's output {_COUNTS}",
    "--output": f"the CLI's output {_COUNTS}",
    "--query": f"the CLI's output {_COUNTS}",
    "--color": f"the CLI's output {_COUNTS}",
    "--debug": "it prints credentials; use logging.level: DEBUG",
    "--version": "it prevents the run",
    "--cli-auto-prompt": "nobody is there to answer",
}
_ALONE, _ONE, _MAYBE, _MANY = (0, 0), (1, 1), (0, 1), (1, 1000)
# option -> how many values follow it (least, most)
_KNOWN = {
    "--no-guess-mime-type": _ALONE,
    "--exact-timestamps": _ALONE,
    "--size-only": _ALONE,
    "--ignore-glacier-warnings": _ALONE,
    "--force-glacier-transfer": _ALONE,
    "--no-sign-request": _ALONE,
    "--no-overwrite": _ALONE,
    "--no-cli-pager": _ALONE,
    "--no-cli-auto-prompt": _ALONE,
    "--sse-c": _MAYBE,
    "--sse-c-key": _ONE,
    "--sse-c-copy-source": _MAYBE,
    "--sse-c-copy-source-key": _ONE,
    "--grants": _MANY,
    "--website-redirect": _ONE,
    "--content-type": _ONE,
    "--cache-control": _ONE,
    "--content-disposition": _ONE,
    "--content-encoding": _ONE,
    "--content-language": _ONE,
    "--expires": _ONE,
    "--source-region": _ONE,
    "--page-size": _ONE,
    "--checksum-mode": _ONE,
    "--checksum-algorithm": _ONE,
    "--metadata": _MANY,
    "--metadata-directive": _ONE,
    "--copy-props": _ONE,
    "--case-conflict": _ONE,
    "--cli-read-timeout": _ONE,
    "--cli-connect-timeout": _ONE,
}
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


def refusals(arguments: tuple[str, ...]) -> Iterator[str]:
    """One sentence for each argument that cannot be handed on."""
    option, count, least, most = "", 0, 0, 0
    for argument in arguments:
        if not argument.startswith("-") or re.fullmatch(r"-[0-9.]+", argument):
            count += 1
            if count > most:
                after = f" after {option}" if option else ""
                yield f"{shown(argument)}{after} is no option; bucket and folder are set by their own keys"
            continue
        if count < least:
            yield _lacks_value(option)
        option, equals, _ = argument.partition("=")
        reason = _refused_option(option)
        if reason:
            yield reason
        # an option that a newer CLI knows and this list does not may take one value
        least, most = _KNOWN.get(option, _MAYBE)
        count = 1 if equals else 0
        if reason:
            least, most = 0, 1000  # what follows belongs to the refused option: one complaint is enough
    if count < least:
        yield _lacks_value(option)


def _lacks_value(option: str) -> str:
    return f"{option} wants a value; write it as the next item of the list"


def _refused_option(option: str) -> str:
    if option in _KNOWN:
        return ""
    if not _OPTION.fullmatch(option):
        return f"{shown(option)} is no option of 'aws s3 sync'; options start with '--'"
    for owned, advice in OWNED.items():
        if owned.startswith(option):
            full = "" if owned == option else f" (short for {owned})"
            return f"{shown(option)}{full} is not handed on: {advice}"
    return ""
