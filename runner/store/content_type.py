"""The Content-Type an upload gets: guessed from its name exactly as `aws s3 sync` does, so that both engines agree.

awscli/customizations/s3/utils.py, guess_content_type: `mimetypes.guess_type(name)[0]`, with the system's mime.types;
nothing where that knows nothing (S3 then says binary/octet-stream), and never a Content-Encoding.
"""

import mimetypes
import threading

_reading = threading.Lock()


def content_type_of(path: str) -> str | None:
    """`text/html` for `a/b.html`; None when the name tells nothing. path: relative to the folder or a whole key."""
    if "." not in path.rpartition("/")[2]:
        return None
    with _reading:  # ten threads that begin at once would each read the system's lists
        if not mimetypes.inited:
            mimetypes.init()
    # The CLI asks with an absolute path: without the "/", `http:x.html` and `data:,x` would be read as URLs.
    return mimetypes.guess_type(f"/{path}")[0]
