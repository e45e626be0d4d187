"""Does memory grow with the bucket? A pass's own tables, listing, proof and memory over entries that are made up.

No server and no folder could show a million objects in reasonable time, so scan and listing are generated here (real
pages of XML, really parsed and proven); everything between them and the decisions is the engine's. One process a size:

    python -m benchmarks.native_memory 1000000
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ground import line
from demo import seaweedfs
from runner.engine.memory_file import Identity
from runner.engine.native.facts import Base, Kind
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.files.scan_result import Entry
from runner.store.listing import ListingProof, ObjectInfo, parse_page

SIZES = (10_000, 1_000_000)
_PAGE = 1000
_BUCKET = "b"
_MOMENT = 1_700_000_000


def memory_by_size(_server: seaweedfs.Server, _home: Path) -> None:
    peaks = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.native_memory", str(size)]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        peaks.append(int(words[0]))
        line(f"no-op pass over {size:,} made-up objects: peak RSS, CPU", f"{peaks[-1] / 1e6:.1f} MB, {words[1]} s")
    line("  growth", f"{100 * (peaks[1] / peaks[0] - 1):.1f} %", "at most 10 %")


def main() -> None:
    size = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as place:
        memory = Memory.open(Path(place) / "state.db")
        memory.adopt(Identity("0" * 32, 1, _BUCKET, "", "http://127.0.0.1"))
        memory.record(_remembered(size))
        seen = Observation(memory, Path(place))
        before = time.process_time()
        for number in range(size):
            seen.add_local(Entry(_path(number), "file", 4096, number, number, number, 0o100644))
        for info in _listing(size):
            seen.add_remote(info.key, Kind.FILE, info)
        if next(seen.candidates(), None) is not None:
            raise AssertionError("nothing differs, and yet a candidate came")
        used = time.process_time() - before
        seen.close()
        memory.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, f"{used:.1f}")


def _path(number: int) -> str:
    return f"{number // 500:06}/{number:08}"


def _etag(number: int) -> str:
    return f"{number:032x}"


def _remembered(size: int) -> Iterator[tuple[str, Base]]:
    for number in range(size):
        yield (
            _path(number),
            Base(Kind.FILE, 4096, number, number, number, 0o644, "", _path(number), _etag(number), 4096, _MOMENT),
        )


def _listing(size: int) -> Iterator[ObjectInfo]:
    proof = ListingProof(_BUCKET, "")
    for start in range(0, size, _PAGE):
        page = parse_page(_page(range(start, min(start + _PAGE, size)), size).encode(), bucket=_BUCKET, prefix="")
        proof.take(page)
        yield from page.objects


def _page(numbers: range, size: int) -> str:
    moment = "2023-11-14T22:13:20.000Z"
    entries = "".join(
        f"<Contents><Key>{_path(number)}</Key><LastModified>{moment}</LastModified><ETag>&quot;{_etag(number)}&quot;"
        "</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in numbers
    )
    more = numbers.stop < size
    token = f"<NextContinuationToken>{numbers.stop}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{_BUCKET}</Name><Prefix></Prefix><KeyCount>{len(numbers)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
        "</ListBucketResult>"
    )


if __name__ == "__main__":
    main()
