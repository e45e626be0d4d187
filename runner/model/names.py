"""Names come from strangers: make them harmless before a person or a log reads them."""

import re

# C0, DEL, C1, line and paragraph separators, bidi controls, lone surrogates (undecodable bytes of a file name)
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's surrogate escape: show the byte it stands for
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def printable(name: str) -> str:
    """The name in one line with nothing a terminal, log reader or JSON encoder could trip over (CWE-117, CWE-150)."""
    return _HARMFUL.sub(_escaped, name)
