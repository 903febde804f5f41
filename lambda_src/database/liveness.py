"""Whether a connection is still one, without a round trip."""

import select
import socket

ANYTHING_TO_READ = select.POLLIN | getattr(select, "POLLRDHUP", 0)  # an error or a hang-up is always reported

# Milliseconds for which what was sent may go without a receipt of the other machine (TCP_USER_TIMEOUT); Linux looks
# between its retransmissions, and gives up after about 1.5 s. One that forgot the connection, or lost its network, says
# nothing: the rest of the deadline is for a new connection. It does not limit how long the other end takes to answer.
UNACKNOWLEDGED = 500


def is_silent(descriptor: int) -> bool:
    """Whether nothing can be read of it: an idle connection has nothing to say but the other end's goodbye."""
    poll = select.poll()
    poll.register(descriptor, ANYTHING_TO_READ)
    return not poll.poll(0)


def limit_unacknowledged(channel: socket.socket) -> None:
    """Give a connection up when the other machine has no receipt for what was sent, where the system can: Linux."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
