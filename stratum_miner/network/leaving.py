"""Closes a connection whose peer may still be sending.

If a socket is closed while it has unread bytes, the peer gets an error, and may not receive the last reply that was
sent to it. Before the program closes a connection early, it therefore reads and discards further bytes for a moment.
"""

import trio

SECONDS = 1.0
"""Maximum number of seconds to wait until the peer has read what was sent and has closed the connection."""
PIECE = 16 * 1024


async def take_leave(stream: trio.abc.HalfCloseableStream) -> None:
    """Send the end of the stream, then wait up to ``SECONDS`` until the peer has closed its side too.

    The caller must still close the stream. Raises BrokenResourceError or ClosedResourceError if it is already closed.
    """
    with trio.move_on_after(SECONDS):
        await stream.send_eof()
        while await stream.receive_some(PIECE):
            pass
