"""What a person types, turned into numbers and words: durations, sizes, shares, modes, choices.

Pure functions from text to a value. Each raises ValueError with a sentence that says what is wrong and what is
allowed; none of them knows where the text came from. What YAML itself thinks of an unquoted word is kept in `Plain`.
"""

import difflib
import re
from collections.abc import Sequence

from runner.model.names import printable

SECOND_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
LONGEST_SECONDS = 36_500 * 86400.0
MOST_BYTES = 2**60

_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(rf"(-?)({_NUMBER})\s*(ms|s|m|h|d)")
_SIZE = re.compile(rf"({_NUMBER})\s*({'|'.join(BYTE_UNITS)})")
_SHARE = re.compile(rf"(-?)({_NUMBER})\s*%")
_BARE = re.compile(rf"-?{_NUMBER}")
_ZERO = re.compile(r"0+(?:\.0+)?")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
_OCTAL = re.compile(r"(?:0o?)?([0-7]{1,4})")
_FORBIDDEN_IN_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_DURATIONS = "write for example 500ms, 30s, 5m, 2h or 7d"
_SIZES = "write for example 500kB, 10MB or 512MiB"


class Plain(str):
    """An unquoted YAML scalar that YAML does not take for text. kind: int, float or bool, as YAML sees it."""

    __slots__ = ("kind",)
    kind: str

    @classmethod
    def of(cls, text: str, kind: str) -> "Plain":
        plain = cls(text)
        plain.kind = kind
        return plain


def shown(value: object) -> str:
    """A value as an error message shows it: harmless, in one line, not endless."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = printable(str(value))
    text = text if len(text) <= 80 else text[:77] + "..."
    text = re.sub(r"//[^/@\s]*@", "//***@", text)  # no password of a URL in a message
    return text if isinstance(value, Plain) else f"'{text}'"


def suggestion(word: str, allowed: Sequence[str]) -> str:
    """`; did you mean 'x'?` or nothing."""
    spelled = {one.lower(): one for one in allowed}
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.6)
    return f"; did you mean '{spelled[near[0]]}'?" if near else ""


def seconds(value: object, *, least: float = 0.0, most: float = LONGEST_SECONDS) -> float:
    """`30s` -> 30.0. A bare number is refused (nobody can know its unit), except 0."""
    text = _scalar(value, "a duration", _DURATIONS)
    match = _DURATION.fullmatch(text)
    if match:
        result = float(match[2]) * SECOND_UNITS[match[3]] * (-1 if match[1] else 1)
    elif _ZERO.fullmatch(text):
        result = 0.0
    elif _BARE.fullmatch(text):
        raise ValueError(f"{shown(value)} has no unit; write {text.lstrip('-')}s, or use ms, m, h, d")
    else:
        raise ValueError(f"{shown(value)} is not a duration; {_DURATIONS}")
    if result < least:
        raise ValueError(f"{shown(value)} is too short; allowed are {spell_seconds(least)} and more")
    if result > most:
        raise ValueError(f"{shown(value)} is too long; allowed are at most {spell_seconds(most)}")
    return result


def size(value: object, *, least: int = 0) -> int:
    """`10MB` -> 10000000, `512MiB` -> 536870912 bytes. A bare number is refused, except 0."""
    text = _scalar(value, "a size", _SIZES)
    match = _SIZE.fullmatch(text)
    if match:
        result = round(float(match[1]) * BYTE_UNITS[match[2]])
    elif _ZERO.fullmatch(text):
        result = 0
    elif _BARE.fullmatch(text) and not text.startswith("-"):
        raise ValueError(f"{shown(value)} has no unit; write {text}B, or use kB, MB, GB, KiB, MiB, GiB")
    else:
        raise ValueError(f"{shown(value)} is not a size; {_SIZES}")
    if not least <= result <= MOST_BYTES:
        raise ValueError(
            f"{shown(value)} is out of range; allowed are {spell_bytes(least)} to {spell_bytes(MOST_BYTES)}"
        )
    return result


def share(value: object) -> float:
    """`50%` -> 0.5; 0 and 100 % are the ends."""
    text = _scalar(value, "a share", "write for example 50%")
    match = _SHARE.fullmatch(text)
    if match is None:
        if _ZERO.fullmatch(text):
            return 0.0
        hint = f"write {_percent(float(text))}" if re.fullmatch(r"0?\.[0-9]+", text) else "write for example 50%"
        raise ValueError(f"{shown(value)} is not a share; {hint}")
    result = float(match[2]) / 100
    if match[1] or result > 1:
        raise ValueError(f"{shown(value)} is out of range; allowed are 0% to 100%")
    return result


def is_share(value: object) -> bool:
    return isinstance(value, str) and value.rstrip().endswith("%")


def whole(value: object, *, least: int = 0, most: int = 10**9) -> int:
    """`10` -> 10. No leading zero (YAML 1.1 would read 012 as ten), no exponent, no sign."""
    text = _scalar(value, "a whole number", f"allowed are {least} to {most}")
    if not _WHOLE.fullmatch(text):
        if re.fullmatch(r"0[0-9]+", text):
            bare = text.lstrip("0") or "0"
            raise ValueError(f"{shown(value)} starts with a zero, which YAML may read as octal; write {bare}")
        raise ValueError(f"{shown(value)} is not a whole number; allowed are {least} to {most}")
    if not least <= int(text) <= most:
        raise ValueError(f"{shown(value)} is out of range; allowed are {least} to {most}")
    return int(text)


def number(value: object, *, least: float, most: float) -> float:
    """`2.0` -> 2.0; plain decimals only, so no nan and no inf."""
    allowed = f"allowed are {least:g} to {most:g}"
    text = _scalar(value, "a number", allowed)
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"{shown(value)} is not a number; {allowed}")
    if not least <= float(text) <= most:
        raise ValueError(f"{shown(value)} is out of range; {allowed}")
    return float(text)


def octal(value: object, *, most: int) -> int:
    """`0640`, `640`, `"0o640"` -> 0o640: permission bits are octal however they are written."""
    allowed = "write permission bits in octal, for example 0640"
    match = _OCTAL.fullmatch(_scalar(value, "a file mode", allowed))
    if match is None or int(match[1], 8) > most:
        raise ValueError(f"{shown(value)} is not a file mode; {allowed}")
    return int(match[1], 8)


def switch(value: object) -> bool:
    """true, yes, on / false, no, off, quoted or not (a variable may have brought the word)."""
    text = _scalar(value, "true or false", "write true or false").lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{shown(value)} is not true or false; write true or false")


def choice(value: object, allowed: Sequence[str]) -> str:
    """One of the words."""
    words = ", ".join(allowed)
    text = _scalar(value, "a word", f"allowed are {words}")
    if text in allowed:
        return text
    raise ValueError(f"{shown(value)} is not one of {words}{suggestion(text, allowed)}")


def text(value: object) -> str:
    """A line of text; what YAML takes for a number or a truth value must stand in quotes."""
    if isinstance(value, Plain):
        what = "a truth value" if value.kind == "bool" else "a number"
        raise ValueError(f'{shown(value)} is {what} in YAML, not text; write it in quotes: "{printable(value)}"')
    return words(value)


def words(value: object) -> str:
    """A line of text whose meaning is plain even without quotes (`at: 12:30`, an argument `500`)."""
    result = _scalar(value, "text", "write text")
    if _FORBIDDEN_IN_TEXT.search(result):
        raise ValueError(f"{shown(value)} holds a control character or bytes that are not text; leave them out")
    return result


def pattern(value: object) -> str:
    """A filter: like text, but names may hold control characters; only NUL cannot be in a name."""
    if isinstance(value, Plain):
        return text(value)
    result = _scalar(value, "a pattern", 'write for example "*.tmp"', strip=False)
    if "\0" in result:
        raise ValueError(f"{shown(value)} holds a NUL character; no name can hold one")
    return result


def is_off(value: object) -> bool:
    """The words that mean "no such thing": none and off (which unquoted YAML reads as false)."""
    return isinstance(value, str) and value.strip().lower() in ("none", "off")


def spell_seconds(value: float) -> str:
    """21600.0 -> `6h`: the shortest exact spelling a person could have typed."""
    for unit in ("d", "h", "m", "s"):
        count = value / SECOND_UNITS[unit]
        if count >= 1 and count == int(count) and not (unit == "m" and count == 1) and not (unit == "d" and count == 1):
            return f"{int(count)}{unit}"
    return f"{value * 1000:g}ms" if value else "0s"


def spell_bytes(value: int) -> str:
    """10000000 -> `10MB`."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if value and value % BYTE_UNITS[unit] == 0:
            return f"{value // BYTE_UNITS[unit]}{unit}"
    return f"{value}B"


def _percent(part: float) -> str:
    return f"{part * 100:g}%"


spell_share = _percent


def _scalar(value: object, wanted: str, allowed: str, *, strip: bool = True) -> str:
    if value is None:
        raise ValueError(f"is empty; {allowed}")
    if not isinstance(value, str):
        raise ValueError(f"is {shown(value)} where {wanted} is wanted; {allowed}")
    result = value.strip() if strip else value
    if not result:
        raise ValueError(f"is empty; {allowed}")
    return result
