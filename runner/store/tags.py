"""An object's tags as x-amz-tagging takes them: a copy by parts does not keep them by itself."""

import base64
import hashlib
from html import escape
from urllib.parse import parse_qsl, urlencode

from runner.store.bucket import Bucket
from runner.store.errors import document, local_name
from runner.store.listing import ObjectInfo
from runner.store.request import Request

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def tagging(bucket: Bucket, info: ObjectInfo) -> str:
    """ "" when the object has none (a HEAD tells their number). Raises StoreError."""
    if (info.headers or {}).get("x-amz-tagging-count", "0") == "0":
        return ""
    return all_tags(bucket, info.key)


def all_tags(bucket: Bucket, key: str) -> str:
    """Asked whatever a HEAD says: some servers do not count them there. Raises StoreError."""
    return tags_of(bucket.ask(Request("GetObjectTagging", "GET", key, query={"tagging": ""})).body)


def set_tags(bucket: Bucket, key: str, tags: str) -> None:
    """tags: as x-amz-tagging takes them. Raises StoreError."""
    rows = "".join(
        f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>"
        for name, value in parse_qsl(tags, keep_blank_values=True)
    )
    body = f'<Tagging xmlns="{_NAMESPACE}"><TagSet>{rows}</TagSet></Tagging>'.encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    headers = {"Content-MD5": digest, "Content-Type": "application/xml"}
    bucket.ask(Request("PutObjectTagging", "PUT", key, query={"tagging": ""}, headers=headers, body=body))


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
