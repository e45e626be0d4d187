"""Settings to JSON text and back without loss: for hand-over between processes and for hashing. Not for people."""

import json

from runner.config.kinds import AS_DUMPED
from runner.config.settings import Settings


def dump(settings: Settings) -> str:
    """The same settings always give the same text. Seconds and bytes are numbers, keys are the field names."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def parse(text: str) -> Settings:
    """What `dump` wrote. Raises pydantic's ValidationError for anything else: that is a mistake of ours."""
    return Settings.model_validate(json.loads(text), context=AS_DUMPED)
