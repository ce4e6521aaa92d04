"""The end of a connection whose other side may still be sending.

A socket that is closed with unread bytes in it tells the other side of an error, and what was sent to it just before is
lost. So an answer that ends a connection early is followed by a moment in which the rest is read and thrown away.
"""

import trio

SECONDS = 1.0
"""Seconds in which the other side may read what was sent, and close."""
PIECE = 16 * 1024


async def take_leave(stream: trio.abc.HalfCloseableStream) -> None:
    """Say that nothing more comes, and wait until the other side has closed, but not for long.

    BrokenResourceError or ClosedResourceError when it is gone already. The stream is still to be closed.
    """
    with trio.move_on_after(SECONDS):
        await stream.send_eof()
        while await stream.receive_some(PIECE):
            pass
