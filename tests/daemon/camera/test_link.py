"""What a camera's process said last is heard, whatever it did not hear itself."""

import socket

from daemon.camera import link


def test_the_last_words_of_a_process_that_ended_with_ours_unread_are_heard() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            link.send(theirs, link.Stopped(counter=7))
            link.send(ours, link.Stop())
        assert link.receive_from_camera(ours) == link.Stopped(counter=7)
        assert link.receive_from_camera(ours) is None
