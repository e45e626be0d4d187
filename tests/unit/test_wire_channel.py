"""One end of a socket pair between two of our processes: what was said is heard, whoever has left since."""

import os
import time

from runner.wire.channel import MESSAGES_A_CALL, Channel, Received


def test_channel_message_arrives_whole_and_with_its_descriptors() -> None:
    ours, theirs = Channel.pair()
    read_fd, write_fd = os.pipe()
    theirs.send({"type": "client"}, [write_fd])
    os.close(write_fd)
    (received,) = ours.receive()
    assert received.message == {"type": "client"}
    os.write(received.fds[0], b"x")
    assert os.read(read_fd, 1) == b"x"
    for fd in (read_fd, *received.fds):
        os.close(fd)
    ours.close()
    theirs.close()


def test_channel_whose_peer_left_gives_its_last_words_before_it_is_closed() -> None:
    ours, theirs = Channel.pair()
    theirs.send({"type": "stopped"})
    theirs.close()
    ours.send({"type": "stop"})
    assert not ours.wants_write
    assert _heard(ours) == [{"type": "stopped"}]
    assert ours.closed
    ours.close()


def test_channel_whose_peer_left_without_reading_gives_its_last_words() -> None:
    ours, theirs = Channel.pair()
    ours.send({"type": "slot"})
    theirs.send({"type": "report"})
    theirs.send({"type": "stopped"})
    theirs.close()
    assert _heard(ours) == [{"type": "report"}, {"type": "stopped"}]
    assert ours.closed
    ours.send({"type": "stop"})  # harmless
    ours.close()


def test_channel_flood_is_taken_in_portions() -> None:
    ours, theirs = Channel.pair()
    for number in range(MESSAGES_A_CALL + 1):
        theirs.send({"number": number})
    assert len(ours.receive()) == MESSAGES_A_CALL
    theirs.close()
    assert _heard(ours)[0] == {"number": MESSAGES_A_CALL}
    ours.close()


def _heard(channel: Channel) -> list[dict[str, object]]:
    found: list[Received] = []
    until = time.monotonic() + 5
    while not channel.closed and time.monotonic() < until:
        found += channel.receive()
    return [received.message for received in found]
