# SPDX-License-Identifier: Apache-2.0
"""One connection of two ZeroMQ sockets over a Unix socket, read and written by whoever uses it, without a thread.

libzmq gives its sockets to a thread of its own: two processes that ask and answer over it wake four threads with every
message. Who has nothing else to do meanwhile saves that here, in the same words (see ``zmtp``).
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Sequence

from kineograph.wire import zmtp
from kineograph.wire.codec import Buffer

BUFFER_BYTES = 2**20
_MOST_PIECES = 512
"""Of one system call; Linux takes 1024."""


class Gone(Exception):
    """The connection has ended. ``unsent``: messages of which nothing has left, as nobody had introduced himself."""

    def __init__(self, why: str, unsent: Sequence[Sequence[Buffer]] = ()) -> None:
        super().__init__(why)
        self.unsent = list(unsent)


class Stream:
    """A connected Unix socket. One thread at a time receives, any may send.

    A socket that does not block never waits here; what there is no room for is kept until ``flush``. Who does not hear
    any more may still have said something: only ``receive`` tells that the connection has ended.
    """

    def __init__(self, connected: socket.socket, introduction: bytes, inbound: zmtp.Inbound) -> None:
        self.inbound = inbound
        self._socket = connected
        self._waiting: list[Sequence[Buffer]] = []
        self._unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0
        self._sending = threading.Lock()
        self.is_heard = True
        self._push([zmtp.GREETING + introduction])

    @property
    def is_ready(self) -> bool:
        """Whether the peer has introduced itself: what is sent before waits for that."""
        return self.inbound.is_ready

    @property
    def unsent(self) -> int:
        """Pieces that wait for room on their way out: ``flush`` when there is some."""
        return len(self._unsent)

    def fileno(self) -> int:
        """For polling."""
        return self._socket.fileno()

    def send(self, parts: Sequence[Buffer]) -> None:
        """Send a message, or keep what there is no room for; nothing where nobody hears it (``is_heard``)."""
        if self.inbound.is_ready:
            self._push(zmtp.framed(parts))
        else:
            self._waiting.append(parts)

    def flush(self) -> None:
        """Go on with what was kept."""
        with self._sending:
            self._flush()

    def receive(self) -> list[list[Buffer]]:
        """The messages that are there, none too. Raises ``Gone``, and ``zmtp.Broken`` for a peer of another kind."""
        inbound = self.inbound
        try:
            count = self._socket.recv_into(inbound.room())
        except BlockingIOError:
            return []
        except OSError as e:
            raise Gone(str(e), self._waiting) from None
        if not count:
            raise Gone("the other side has ended", self._waiting)
        messages = inbound.took(count)
        if self._waiting and inbound.is_ready:
            waiting, self._waiting = self._waiting, []
            for parts in waiting:
                self._push(zmtp.framed(parts))
        if inbound.answers:
            answers, inbound.answers = inbound.answers, []
            self._push([b"".join(answers)])
        return messages

    def close(self) -> None:
        """End the connection; what the system has taken still arrives."""
        self._socket.close()

    def _push(self, pieces: Sequence[Buffer]) -> None:
        with self._sending:
            if self._unsent or len(pieces) > 1:
                self._keep(pieces)
                self._flush()
                return
            (piece,) = pieces  # nearly always: one call, and all of it goes
            try:
                done = self._socket.send(piece)
            except BlockingIOError:
                done = 0
            except OSError:
                self._unheard()
                return
            if done < len(piece):
                self._keep([memoryview(piece)[done:]])
                self._flush()

    def _keep(self, pieces: Sequence[Buffer]) -> None:
        self._unsent.extend(map(memoryview, pieces))
        self.unsent_bytes += sum(map(len, pieces))

    def _flush(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                pieces = [unsent[i] for i in range(min(len(unsent), _MOST_PIECES))]
                done = self._socket.sendmsg(pieces)
                self.unsent_bytes -= done
                while unsent and done >= len(unsent[0]):
                    done -= len(unsent.popleft())
                if done:
                    unsent[0] = unsent[0][done:]
        except BlockingIOError:
            return
        except OSError:
            self._unheard()

    def _unheard(self) -> None:
        self.is_heard = False
        self._unsent.clear()
        self.unsent_bytes = 0
