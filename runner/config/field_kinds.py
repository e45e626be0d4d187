"""The kinds that belong to one key each: schedules, brakes, trash, filters, names. Used by `settings` only."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from runner.config import places, values
from runner.config.aws_arguments import refusals
from runner.config.kinds import (
    ARGUMENT,
    ARGUMENT_SCHEMA,
    NONE_WORDS,
    SHARE_SCHEMA,
    Kind,
    duration,
    either,
    listed,
    matching,
    size,
    text_schema,
    whole,
)
from runner.config.values import shown

_LONGEST_INTERVAL = 366 * 86400.0


def _name(value: Any) -> str:
    name = values.text(value)
    if not re.fullmatch(r"[a-z0-9_-]{1,63}", name):
        good = places.default_name(Path(name))
        raise ValueError(f"{shown(name)} is not a name; allowed are 1 to 63 of a-z 0-9 - _, for example '{good}'")
    return name


def _cron(value: Any) -> str:
    line = " ".join(values.text(value).split())
    try:
        if len(line.split(" ")) != 5:
            raise CronSimError("it has not five fields")
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        reason = str(error).lower() or "it never comes"
        raise ValueError(f'{shown(line)} is not a cron line: {reason}; write for example "*/10 * * * *"') from None
    return line


def _clock_time(value: Any) -> str:
    text = values.words(value)
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if match is None:
        raise ValueError(f'{shown(value)} is not a time of day; write for example "02:30"')
    return f"{int(match[1]):02d}:{match[2]}"


def _timezone(value: Any) -> str:
    name = values.text(value)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name raises OSError
        near = values.suggestion(name, sorted(available_timezones()))
        raise ValueError(f"{shown(name)} is not a time zone; write an IANA name such as Europe/Berlin{near}") from None
    return name


def _aws_args(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{shown(value)} is not a list; write each argument as an item: [--page-size, 500]")
    arguments = tuple(ARGUMENT.read(item) for item in value)
    refused = list(refusals(arguments))
    if refused:
        raise ValueError("; ".join(refused))
    return arguments


def _on_change(value: Any) -> tuple[str, ...] | str:
    if isinstance(value, list):
        if not value:
            raise ValueError("is an empty list; write a program and its arguments, or a web address")
        return tuple(ARGUMENT.read(item) for item in value)
    text = values.text(value)
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"{shown(text)} is no web address; write a program as a list: [/bin/program, argument]")
    return places.web_address(text)


def _pair_files(value: Any) -> str:
    text = str(places.local_path(value))
    if text.count("{pair}") != 1 or re.search(r"[{}]", text.replace("{pair}", "")):
        raise ValueError(f"{shown(text)} must hold {{pair}} once; write for example logs/{{pair}}.log")
    return text


def _listen(value: Any) -> str:
    text = values.text(value)
    match = re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})", text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{shown(text)} is not HOST:PORT; write for example 127.0.0.1:8080")
    return text


def _ruled(expression: str, wanted: str) -> Any:
    def read(value: Any) -> str:
        text = values.text(value)
        if not re.fullmatch(expression, text):
            raise ValueError(f"{shown(text)} is not {wanted}")
        return text

    return read


def _account(value: Any) -> str:
    text = values.words(value)  # twelve digits are no number, quoted or not
    if not re.fullmatch("[0-9]{12}", text):
        raise ValueError(f"{shown(text)} is not an AWS account; write its 12 digits")
    return text


def _level(value: Any) -> str:
    allowed = ("DEBUG", "INFO", "WARNING", "ERROR")
    return values.choice(value.upper() if isinstance(value, str) else value, allowed)


NAME = matching("a-z 0-9 - _, unique", _name, "[a-z0-9_-]{1,63}")
BUCKET = matching("name, s3://name/prefix or the ARN of an access point (aws-cli)", places.bucket)
PREFIX = matching("key prefix", places.prefix)
PATH = matching("path", places.local_path)
WEB_ADDRESS = matching("URL", places.web_address, "https?://.+")
ENDPOINT = matching("URL", places.endpoint, "https?://.+")
CRON = matching("cron line", _cron)
_TIME = Kind('"HH:MM"', _clock_time, text_schema("([01]?[0-9]|2[0-3]):[0-5][0-9]"))
TIMES = listed(_TIME, words='"02:30" or a list', or_one=True)
ZONE = matching("IANA name", _timezone)
REGION = matching("region", _ruled("[a-z0-9-]{2,40}", "a region; write for example eu-west-1"))
ROLE = matching("role ARN", _ruled(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", "the ARN of a role"))
ACCOUNT = Kind("12 digits", _account, either(text_schema("[0-9]{12}"), {"type": "integer", "minimum": 0}))
AWS_ARGS = Kind("list", _aws_args, {"type": "array", "items": ARGUMENT_SCHEMA}, lambda v: " ".join(v) or "none")
ON_CHANGE = Kind(
    "argv list or webhook URL",
    _on_change,
    either({"type": "array", "items": ARGUMENT_SCHEMA, "minItems": 1}, text_schema("https?://.+")),
)
PAIR_FILES = matching("path with {pair}", _pair_files, r".*\{pair\}.*")
LISTEN = matching("HOST:PORT", _listen, ".+:[0-9]{1,5}")
LEVEL = Kind("DEBUG, INFO, WARNING, ERROR", _level, text_schema("(?i:DEBUG|INFO|WARNING|ERROR)"))
LEVEL_WORDS = ["DEBUG", "INFO", "WARNING", "ERROR", "debug", "info", "warning", "error"]
INTERVAL = duration(least=0.1, most=_LONGEST_INTERVAL)
COUNT = whole()
SIZE = size()
POSITIVE_SIZE = size(least=1)
NONE_SCHEMA = {"enum": NONE_WORDS}
COUNT_OR_SHARE_SCHEMA = either(SHARE_SCHEMA, dict(COUNT.schema))
SIZE_OR_SHARE_SCHEMA = either(SHARE_SCHEMA, dict(SIZE.schema))
