"""An object's ACL as the headers that give the same ACL to a copy. Pure.

A copy gets the default ACL (S3 API reference, "CopyObject"): what was granted must be said again, in the same request.
"""

from xml.etree import ElementTree

from runner.store.errors import document, local_name

_HEADERS = {
    "READ": "x-amz-grant-read",
    "READ_ACP": "x-amz-grant-read-acp",
    "WRITE_ACP": "x-amz-grant-write-acp",
    "FULL_CONTROL": "x-amz-grant-full-control",
}


def grant_headers(body: bytes) -> dict[str, str]:
    """From an AccessControlPolicy; {} when it grants nothing but the owner's full control, or is no such document."""
    root = document(body)
    if root is None or local_name(root.tag) != "AccessControlPolicy":
        return {}
    owner = next((_texts(child).get("ID", "") for child in root if local_name(child.tag) == "Owner"), "")
    granted: dict[str, list[str]] = {}
    for grant in root.iter():
        if local_name(grant.tag) != "Grant":
            continue
        texts = {local_name(child.tag): (child.text or "").strip() for child in grant.iter()}
        header = _HEADERS.get(texts.get("Permission", ""))
        grantee = f'id="{texts["ID"]}"' if texts.get("ID") else f'uri="{texts["URI"]}"' if texts.get("URI") else ""
        if header and grantee:
            granted.setdefault(header, []).append(grantee)
    if granted in ({}, {"x-amz-grant-full-control": [f'id="{owner}"']}):
        return {}
    return {header: ", ".join(grantees) for header, grantees in granted.items()}


def _texts(element: ElementTree.Element) -> dict[str, str]:
    return {local_name(child.tag): (child.text or "").strip() for child in element}
