"""An object's tags as x-amz-tagging takes them: a copy by parts does not keep them by itself."""

from urllib.parse import urlencode

from runner.store.bucket import Bucket
from runner.store.errors import document, local_name
from runner.store.listing import ObjectInfo
from runner.store.request import Request


def tagging(bucket: Bucket, info: ObjectInfo) -> str:
    """ "" when the object has none (a HEAD tells their number). Raises StoreError."""
    if (info.headers or {}).get("x-amz-tagging-count", "0") == "0":
        return ""
    return tags_of(bucket.ask(Request("GetObjectTagging", "GET", info.key, query={"tagging": ""})).body)


def tags_of(body: bytes) -> str:
    """From a Tagging document; "" for anything else."""
    root = document(body)
    if root is None or local_name(root.tag) != "Tagging":
        return ""
    tags = []
    for tag in root.iter():
        if local_name(tag.tag) == "Tag":
            texts = {local_name(child.tag): child.text or "" for child in tag}
            tags.append((texts.get("Key", ""), texts.get("Value", "")))
    return urlencode(tags)
