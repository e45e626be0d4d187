"""A real AWS CLI v2 of this machine, where there is one: it is on no package index, Debian and AWS hand it out.

Debian: apt-get install --no-install-recommends awscli
"""

import os
import shutil
import subprocess
from functools import cache


@cache
def find() -> str | None:
    """The first `aws` on PATH or in the usual places that says it is version 2."""
    places = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    for place in dict.fromkeys(places):
        program = shutil.which("aws", path=place)
        if program and _version(program).startswith("aws-cli/2."):
            return program
    return None


def _version(program: str) -> str:
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout
