"""The control socket, requests, reload, slots and services of a real supervisor with made-up workers."""

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

from tests.integration.household import Household, Start, household, is_alive, wait_for

__all__ = ["household"]


def _socket_path(house: Household) -> Path:
    return wait_for(lambda: next(house.runtime_dir.glob("*.sock"), None))


def test_socket_is_private_and_comes_back_when_removed(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    path = _socket_path(house)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.unlink()
    wait_for(path.exists)
    assert house.status()["a"]["state"] == "running"
    house.stop()
    assert not path.exists()


def test_socket_follows_where_the_links_of_the_config_lead(household: Start, tmp_path: Path) -> None:
    """A Kubernetes ConfigMap is swapped: clients name the socket by the new real path at once."""
    house = household({"a": "good"})
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.json").write_text(house.spec.read_text())
    (tmp_path / "data").symlink_to("v1")
    house.spec = tmp_path / "data" / "spec.json"
    pid = house.start_and_settle().status()["a"]["pid"]
    before = _socket_path(house)
    (tmp_path / "swap").symlink_to("v2")
    (tmp_path / "swap").rename(tmp_path / "data")
    assert house.status()["a"]["pid"] == pid
    assert _socket_path(house) != before
    assert not before.exists()


def test_storm_of_hups_is_one_or_two_reloads(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    house.kill(signal.SIGSTOP)  # so that they wait together
    for number in [signal.SIGHUP, signal.SIGUSR2] * 20:
        house.kill(number)
    house.kill(signal.SIGCONT)
    wait_for(lambda: "config read again" in house.log())
    house.status()
    assert house.log().count("config read again") <= 2


def test_second_supervisor_leaves_the_socket_alone_and_takes_it_over_later(household: Start, tmp_path: Path) -> None:
    first = household({"a": "good"}).start_and_settle()
    second = household({"a": "good"}).start(log=tmp_path / "second")
    wait_for(lambda: "another runner has the control socket" in (tmp_path / "second").read_text())
    assert first.whole_status()["pid"] == first.pid
    first.kill(signal.SIGKILL)
    first.wait()
    assert second.whole_status()["pid"] == second.pid


def test_slow_silent_and_garbage_clients_harm_nobody(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    path = str(_socket_path(house))
    clients = []
    for data in (b"", b"garbage\n", b"[1]\n", b"x" * 100_000, b'{"command": "status"}\n' * 50, b'{"command": 7}\n'):
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(1.0)
            client.connect(path)
            clients.append(client)
            with contextlib.suppress(OSError):
                client.sendall(data)
        assert house.status()["a"]["state"] == "running"
    assert house.status()["a"]["state"] == "running"
    for client in clients:
        client.close()
    assert house.ask("no-such-command")[-1]["exit_code"] == 2
    assert house.ask("sync", pairs=["nobody"])[-1]["exit_code"] == 2
    assert house.ask("pause", pairs=[{"a": 1}])[-1]["exit_code"] == 2
    assert "mistake of ours" not in house.log(), house.log()[-3000:]


def test_client_that_ends_its_side_still_gets_its_answer(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(_socket_path(house)))
        client.sendall(b'{"command": "sync", "wait": true}\n')
        client.shutdown(socket.SHUT_WR)
        assert json.loads(client.makefile().readlines()[-1])["end"] is True


def test_sync_waits_for_passes_and_tells_their_outcome(household: Start) -> None:
    house = household({"good": "good", "halts": "halts", "fails": "fails", "dies": "dies-in-pass"}).start_and_settle()
    assert house.ask("sync", pairs=["good"])[-1]["exit_code"] == 0
    assert house.ask("sync", pairs=["good"], wait=True)[-1]["exit_code"] == 0
    assert house.ask("sync", pairs=["fails"], wait=True)[-1]["exit_code"] == 1
    assert house.ask("sync", pairs=["halts", "fails"], wait=True)[-1]["exit_code"] == 3
    dead = house.ask("once", pairs=["dies"])
    assert dead[0]["row"]["outcome"] == "failed"
    assert "SIGKILL" in dead[0]["row"]["message"]


def test_request_to_a_pair_in_backoff_queues_until_it_runs(household: Start) -> None:
    house = household({"a": "good"}, restart={"initial": 1.0}).start_and_settle()
    os.kill(house.status()["a"]["pid"], signal.SIGKILL)
    house.wait_until(lambda rows: rows["a"]["state"] == "backoff")
    assert house.ask("sync", pairs=["a"], wait=True)[-1]["exit_code"] == 0


def test_worker_answers_what_is_handed_over(household: Start) -> None:
    house = household({"a": "good", "b": "good"}).start_and_settle()
    answer = house.ask("plan", pair="a", option=1)
    assert answer[0]["row"]["asked"] == {"command": "plan", "pair": "a", "option": 1}
    assert answer[-1]["exit_code"] == 1
    house.ask("stop", pairs=["b"])
    house.wait_until(lambda rows: rows["b"]["state"] == "stopped")
    refused = house.ask("plan", pair="b")[-1]
    assert (refused["exit_code"], "stopped" in refused["message"]) == (1, True)


def test_approve_reaches_the_worker(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    assert house.ask("approve", pair="a", token="t1")[-1]["exit_code"] == 0
    assert wait_for((house.folder("a") / "approved").exists)


def test_reload_touches_only_what_changed(household: Start) -> None:
    house = household({"same": "good", "changed": "good", "gone": "good"}).start_and_settle()
    before = house.status()
    house.pairs = {"same": "good", "changed": "unpushed", "new": "good"}
    house.write()
    plan = house.ask("reload", dry_run=True)
    assert plan[0]["row"]["added"] == ["new"]
    assert house.status().keys() == before.keys()
    assert house.ask("reload")[-1]["exit_code"] == 0
    after = house.wait_until(
        lambda rows: set(rows) == {"same", "changed", "new"} and all(row["state"] == "running" for row in rows.values())
    )
    assert after["same"]["pid"] == before["same"]["pid"]
    assert after["changed"]["pid"] != before["changed"]["pid"]
    assert after["changed"]["restarts"] == 0
    assert not is_alive(before["gone"]["pid"])


def test_bad_config_changes_nothing_and_is_shown(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    before = house.status()["a"]["pid"]
    house.spec.write_text("{not json")
    house.kill(signal.SIGHUP)
    wait_for(lambda: house.whole_status()["last_reload"])
    status = house.whole_status()
    assert status["last_reload"]["ok"] is False
    assert str(house.spec) in status["last_reload"]["message"]
    assert status["pairs"][0]["pid"] == before


def test_reload_does_not_wait_for_a_pair_that_does_not_stop(household: Start) -> None:
    house = household({"deaf": "deaf", "a": "good"}).start_and_settle()
    before = house.status()
    house.pairs = {"a": "unpushed"}
    house.write()
    house.ask("reload")
    rows = house.wait_until(lambda rows: rows["a"]["state"] == "running" and rows["a"]["pid"] != before["a"]["pid"])
    assert rows["deaf"]["state"] == "stopping"
    house.wait_until(lambda rows: "deaf" not in rows)


def test_pair_that_is_taken_back_while_it_stops_comes_up_again(household: Start) -> None:
    house = household({"deaf": "deaf", "a": "good"}, stop_timeout=1.0).start_and_settle()
    first = house.status()["deaf"]["pid"]
    for pairs in ({"a": "good"}, {"a": "good", "deaf": "good"}):
        house.pairs = dict(pairs)
        house.write()
        house.ask("reload")
    house.wait_until(lambda rows: rows["deaf"]["state"] == "running" and rows["deaf"]["pid"] != first)


def test_paused_and_stopped_pairs_stay_so_over_crash_and_reload(household: Start) -> None:
    house = household({"paused": "good", "down": "good", "off": "good"}, restart={"initial": 0.1})
    house.extra["off"] = {"enabled": False}
    house.write()
    house.start()
    house.wait_until(lambda rows: [rows[name]["state"] for name in rows] == ["running", "running", "stopped"])
    house.ask("pause", pairs=["paused"])
    house.ask("stop", pairs=["down"])
    os.kill(house.status()["paused"]["pid"], signal.SIGKILL)
    house.extra["down"] = {"prefix": "another/"}
    house.limits["stop_timeout"] = 4.0
    house.write()
    house.ask("reload")
    rows = house.wait_until(lambda rows: rows["paused"]["restarts"] == 1 and rows["paused"]["activity"] == "paused")
    assert [(rows[name]["wanted"], rows[name]["state"]) for name in ("down", "off")] == [("down", "stopped")] * 2
    refused = house.ask("sync", pairs=["down"], wait=True)
    assert refused[-1]["exit_code"] == 1
    house.ask("resume", pairs=["down", "paused"])
    house.wait_until(lambda rows: rows["down"]["state"] == "running" and rows["paused"]["activity"] == "waiting")


def test_ready_waits_for_required_pairs_and_stays_green(household: Start) -> None:
    house = household({"needed": "never-hydrated", "other": "good"})
    house.extra["needed"] = {"required": True}
    house.write()
    house.start_and_settle()
    answer = house.ask("healthcheck", ready=True)[-1]
    assert (answer["exit_code"], "needed" in answer["message"]) == (1, True)
    house.pairs["needed"] = "good"
    house.write()
    house.ask("reload")
    wait_for(lambda: house.ask("healthcheck", ready=True)[-1]["exit_code"] == 0)
    house.pairs["needed"] = "never-hydrated"
    house.write()
    house.ask("reload")
    assert house.ask("healthcheck", ready=True)[-1]["exit_code"] == 0


def test_slots_are_granted_in_turn_and_freed_by_death(household: Start) -> None:
    house = household({"a": "wants-slot", "b": "wants-slot"}, max_concurrent_passes=1, restart={"initial": 60})
    house.start_and_settle()
    holder = wait_for(lambda: [name for name in "ab" if (house.folder(name) / "slots").exists()])
    assert len(holder) == 1
    os.kill(house.status()[holder[0]]["pid"], signal.SIGKILL)
    waiting = "b" if holder == ["a"] else "a"
    wait_for((house.folder(waiting) / "slots").exists)


def test_services_are_introduced_and_replaced(household: Start) -> None:
    house = household({"a": "asks-for-service"}, restart={"initial": 0.2}).start_and_settle()
    house.wait_until(lambda rows: rows["a"]["files"] == 1)
    first = house.whole_status()["services"]["credentials"]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: house.whole_status()["services"]["credentials"]["pid"] not in {None, first})
    house.ask("restart", pairs=["a"])
    house.wait_until(lambda rows: rows["a"]["files"] == 1)


def test_stuck_service_is_killed_and_replaced(household: Start) -> None:
    house = household({"a": "good"}, heartbeat_timeout=1.0, restart={"initial": 0.2}).start_and_settle()
    first = house.whole_status()["services"]["launcher"]["pid"]
    os.kill(first, signal.SIGSTOP)
    wait_for(lambda: house.whole_status()["services"]["launcher"]["pid"] not in {None, first})
    assert house.status()["a"]["restarts"] == 0


def test_logs_are_told_and_followed(household: Start) -> None:
    house = household({"a": "good"}).start_and_settle()
    lines = [message["row"]["line"] for message in house.ask("logs", pair="a", n=10)[:-1]]
    assert any("starting -> running" in line for line in lines)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(_socket_path(house)))
        client.sendall(b'{"command": "logs", "pair": "a", "n": 0, "follow": true}\n')
        client.settimeout(5.0)
        os.kill(house.status()["a"]["pid"], signal.SIGKILL)
        assert "backoff" in json.loads(client.makefile().readline())["row"]["line"]
    house.kill(signal.SIGUSR2)
    wait_for(lambda: "1 pair: 1 " in house.log())
    house.kill(signal.SIGUSR1)
    assert house.status()


def test_pass_asked_for_during_a_restart_is_made_by_the_next_worker(household: Start) -> None:
    house = household({"a": "deaf"}, stop_timeout=1.0).start_and_settle()
    house.ask("restart", pairs=["a"])
    house.wait_until(lambda rows: rows["a"]["state"] == "stopping")
    answer = house.ask("sync", pairs=["a"], wait=True)
    assert (answer[-1]["exit_code"], answer[-2]["row"]["outcome"]) == (0, "done")
