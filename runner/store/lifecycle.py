"""A bucket's lifecycle rules, read for one question: does a rule remove or archive what a pair keeps in sync? Pure.

A rule that expires current objects looks to everyone else like a person deleting them; one that archives them makes
them unreadable. Source: "GetBucketLifecycleConfiguration" in the S3 API reference.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from runner.model.names import printable
from runner.store.errors import document, local_name

_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})  # GLACIER_IR and the infrequent-access classes read at once


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """prefix: of the keys it is for. narrowed: only some of them, by tag or size. expires: `after 30 days`, "" never.

    archives: the same, with the class it moves objects to.
    """

    name: str
    prefix: str
    narrowed: bool
    expires: str
    archives: str


def lifecycle_rules(body: bytes) -> list[LifecycleRule] | None:
    """The enabled rules of an answer; None when it is no lifecycle configuration."""
    root = document(body)
    if root is None or local_name(root.tag) != "LifecycleConfiguration":
        return None
    rules = [child for child in root if local_name(child.tag) == "Rule"]
    return [_rule(rule) for rule in rules if _text(rule, "Status") == "Enabled"]


def what_hurts(rules: list[LifecycleRule], prefix: str) -> list[str]:
    """One sentence for each rule that takes objects of the pair away. prefix: the pair's."""
    return [sentence for rule in rules if _touches(rule.prefix, prefix) and (sentence := _harm(rule))]


def _touches(ruled: str, prefix: str) -> bool:
    trash = f"{prefix}.runner-trash/"
    return prefix.startswith(ruled) or (ruled.startswith(prefix) and not ruled.startswith(trash))


def _harm(rule: LifecycleRule) -> str:
    deeds = []
    if rule.expires:
        deeds.append(f"deletes objects {rule.expires}, which counts as a deletion by a person")
    if rule.archives:
        deeds.append(f"archives objects {rule.archives}, after which they cannot be downloaded")
    if not deeds:
        return ""
    where = f" below {printable(rule.prefix)}" if rule.prefix else ""
    some = " (those its filter picks)" if rule.narrowed else ""
    return f"rule {printable(rule.name) or 'without a name'}{where}{some} {' and '.join(deeds)}"


def _rule(rule: Element) -> LifecycleRule:
    within = _child(rule, "Filter")
    both = _child(within, "And") if within is not None else None
    filtered = both if both is not None else within
    prefix = _text(filtered, "Prefix") or _text(rule, "Prefix")
    narrowed = filtered is not None and any(local_name(child.tag) != "Prefix" for child in filtered)
    return LifecycleRule(_text(rule, "ID"), prefix, narrowed, _expires(rule), _archives(rule))


def _expires(rule: Element) -> str:
    return _moment(_child(rule, "Expiration"))  # ExpiredObjectDeleteMarker alone removes nothing that is seen


def _archives(rule: Element) -> str:
    moves = [child for child in rule if local_name(child.tag) == "Transition"]
    return next(
        (f"{_moment(move)} to {kind}" for move in moves if (kind := _text(move, "StorageClass")) in _ARCHIVES), ""
    )


def _moment(action: Element | None) -> str:
    if days := _text(action, "Days"):
        return f"after {printable(days)} days"
    return f"on {printable(date)[:10]}" if (date := _text(action, "Date")) else ""


def _child(element: Element | None, name: str) -> Element | None:
    return next((child for child in element if local_name(child.tag) == name), None) if element is not None else None


def _text(element: Element | None, name: str) -> str:
    child = _child(element, name)
    return (child.text or "").strip() if child is not None else ""
