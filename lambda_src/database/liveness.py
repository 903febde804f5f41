"""Whether an idle connection is still one, without a round trip."""

import select

ANYTHING_TO_READ = select.POLLIN | getattr(select, "POLLRDHUP", 0)  # an error or a hang-up is always reported


def is_silent(descriptor: int) -> bool:
    """Whether nothing can be read of it: an idle connection has nothing to say but the other end's goodbye."""
    poll = select.poll()
    poll.register(descriptor, ANYTHING_TO_READ)
    return not poll.poll(0)
