"""What folder, marker and memory say together: the folder that it was, a new one, or another. Pure."""

from enum import StrEnum

from runner.config.settings import Pair
from runner.files.marker import Marker


class Standing(StrEnum):
    """What folder, marker and memory say together."""

    SAME = "same"
    NEW = "new"  # no marker, and none was ever seen by this worker
    OTHER_TARGET = "other-target"  # the marker names another bucket, prefix or endpoint
    MISSING = "marker-missing"
    FOREIGN = "marker-foreign"


def judge(marker: Marker | None, known_id: str, remembered_id: str, pair: Pair) -> Standing:
    """known_id: the marker this worker has seen, "" at its start. remembered_id: of the memory, "" without one."""
    if marker is None:
        return Standing.MISSING if known_id else Standing.NEW
    if known_id and marker.pair_id != known_id:
        return Standing.FOREIGN
    if not marker.belongs_to(pair):
        return Standing.OTHER_TARGET
    if remembered_id and remembered_id != marker.pair_id:
        return Standing.FOREIGN
    return Standing.SAME
