"""Ceph's radosgw on loopback: the second, more faithful S3 server (byte-ordered listings, any key name).

One monitor, one OSD in memory, one gateway, no authentication between the daemons (docs.ceph.com, "Intro to Ceph").
Debian: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
"""

import contextlib
import http.client
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from demo import seaweedfs

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
START_TIMEOUT_SECONDS = 60.0

CONF = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon_port}]
ms_bind_ipv4 = true
ms_bind_ipv6 = false
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# without authentication the messengers must not insist on encryption
ms_mon_client_mode = crc
ms_client_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
run_dir = {home}/run
admin_socket = {home}/run/$name.asok
log_file = {home}/log/$name.log
log_to_stderr = false
err_to_stderr = false
crash_dir = {home}/log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 2000
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_osd_full_ratio = 0.99
[mon]
mon_data = {home}/mon
[osd]
osd_data = {home}/osd
osd_uuid = {osd_uuid}
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = {home}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
# what is replaced or deleted is gone after seconds and not after hours: all of it is in memory
rgw_gc_obj_min_wait = 10
rgw_gc_processor_period = 10
"""


def is_installed() -> bool:
    """True when every program that is needed is on PATH."""
    return all(shutil.which(program) for program in PROGRAMS)


class _Cluster:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.conf = home / "ceph.conf"
        self.daemons: list[subprocess.Popen[bytes]] = []

    def call(self, program: str, *arguments: str) -> None:
        with (self.home / "log" / "setup.out").open("ab") as log:
            command = [program, "-c", str(self.conf), *arguments]
            subprocess.run(command, check=True, stdout=log, stderr=log, timeout=60)

    def daemon(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.home / "log" / f"{program}.out").open("ab") as log:
            process = subprocess.Popen([program, "-c", str(self.conf), "-f", *arguments], stdout=log, stderr=log)
        self.daemons.append(process)
        return process

    def holds(self, *command: str) -> Callable[[], bool]:
        return lambda: subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def _wait(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"radosgw: {what} did not come up")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def running(home: Path, port: int = 0, mon_port: int = 0) -> Iterator[seaweedfs.Server]:
    """A gateway for the length of a `with`; its data is in memory. Ports: 0 means any that is free."""
    port, mon_port = port or _free_port(), mon_port or _free_port()
    for name in ("mon", "osd", "rgw", "run", "log"):
        (home / name).mkdir(parents=True, exist_ok=True)
    cluster = _Cluster(home)
    fsid, osd_uuid = str(uuid.uuid4()), str(uuid.uuid4())
    cluster.conf.write_text(CONF.format(fsid=fsid, osd_uuid=osd_uuid, home=home, port=port, mon_port=mon_port))
    conf = str(cluster.conf)
    try:
        monmap = str(home / "monmap")
        address = f"[v2:127.0.0.1:{mon_port}]"
        make_map = ["monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monmap]
        subprocess.run(make_map, check=True, capture_output=True, timeout=60)
        cluster.call("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        cluster.daemon("ceph-mon", "-i", "a")
        _wait(cluster.holds("ceph", "-c", conf, "--connect-timeout", "2", "mon", "stat"), "the monitor")
        cluster.call("ceph", "osd", "new", osd_uuid)
        cluster.call("ceph-osd", "-i", "0", "--mkfs")
        cluster.daemon("ceph-osd", "-i", "0")
        up = f"ceph -c {conf} osd stat | grep -q '1 up'"
        _wait(cluster.holds("sh", "-c", up), "the storage daemon")
        gateway = cluster.daemon("radosgw", "-n", "client.rgw")
        keys = [f"--access-key={seaweedfs.ACCESS_KEY}", f"--secret-key={seaweedfs.SECRET_KEY}"]
        cluster.call("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=t", "--display-name=t", *keys)
        _wait(lambda: _answers(port), "the gateway")
        yield seaweedfs.Server(f"http://127.0.0.1:{port}", gateway)
    finally:
        for process in reversed(cluster.daemons):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
