"""Numbers as a person reads them: sizes, spans, moments, prices. Pure; no cell holds a space, so columns can be cut."""

import math

_SIZE_STEPS = ("kB", "MB", "GB", "TB", "PB")
NOTHING = "-"


def size(count: float | None) -> str:
    """Decimal units as S3 bills them: `999B`, `1.2kB`, `34MB`."""
    if count is None:
        return NOTHING
    if count < 1000:
        return f"{int(count)}B"
    value = float(count)
    for unit in _SIZE_STEPS:
        value /= 1000
        if value < 999.5 or unit == _SIZE_STEPS[-1]:
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    raise AssertionError("unreachable: the last unit always answers")


def span(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m`, `2h`, `4d`; a negative span counts as none at all."""
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}s" if seconds and seconds != int(seconds) else f"{int(seconds)}s"
    for limit, unit, divisor in ((119.5, "s", 1), (7170, "m", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / divisor:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"


def ago(moment: float | None, now: float) -> str:
    """How long since then, in whole seconds."""
    return NOTHING if moment is None else span(math.floor(max(now - moment, 0)))


def until(moment: float | None, now: float) -> str:
    """How long until then; `now` when it is due."""
    if moment is None:
        return NOTHING
    return span(math.ceil(moment - now)) if moment > now else "now"


def number(count: int | None) -> str:
    return NOTHING if count is None else str(count)


def price(usd: float | None) -> str:
    """US dollars; `<$0.01` rather than a misleading zero."""
    if usd is None:
        return NOTHING
    if 0 < usd < 0.01:
        return "<$0.01"
    return f"${usd:.2f}"


def things(count: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
