# SPDX-License-Identifier: Apache-2.0
"""Running a conversation on an asyncio loop. A module of its own: most programs have no use for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from kineograph.client.engine import Engine
from kineograph.client.runners import Done, Narrator, News, advance, is_end, listen_to
from kineograph.client.verbs import Call, Conversation, Pause, Step, Tell, Ticket
from kineograph.errors import KineographError

T = TypeVar("T")


class AsyncRunner:
    """Runs a conversation on the running event loop; ``narrator`` is called there too."""

    def __init__(self, engine: Engine, narrator: Narrator | None = None, watch: Ticket | None = None) -> None:
        self._engine = engine
        self._narrator = narrator or Narrator(None, None)
        self._watch = watch
        self._over = asyncio.Event()
        self._failed: BaseException | None = None

    async def run(self, conversation: Conversation[T]) -> T:
        """The conversation's value; raises what it raises."""
        stop = None
        if self._watch is not None:
            loop = asyncio.get_running_loop()
            heard = listen_to(self._watch, lambda news: void_if_closed(loop, self._hear, news))
            stop = self._engine.watch(heard, snapshots=False)
        try:
            step = advance(conversation)
            while not isinstance(step, Done):
                step = await self._step(conversation, step)
                if self._failed is not None:
                    raise self._failed
            value: T = step.value
            return value
        finally:
            conversation.close()
            if stop is not None:
                stop()

    def _hear(self, news: News) -> None:
        try:
            self._narrator.hear(news)
        except BaseException as e:  # noqa: BLE001 - the caller's callback; raised again on the caller's own task
            self._failed = e
        if is_end(news) or self._failed is not None:
            self._over.set()

    async def _step(self, conversation: Conversation[T], step: Step) -> Step | Done[T]:
        match step:
            case Call(method, message, deadline_s):
                try:
                    reply = await asyncio.wrap_future(self._engine.call(method, message, deadline_s))
                except KineographError as e:
                    return advance(conversation, error=e)
                return advance(conversation, reply)
            case Pause(delay_s, error):
                self._narrator.retrying(step)
                await self._pause(delay_s, may_end_early=error is None)
            case Tell(job):
                self._narrator.show(job)
        return advance(conversation)

    async def _pause(self, delay_s: float, may_end_early: bool) -> None:
        if not may_end_early or self._watch is None:
            await asyncio.sleep(delay_s)
            return
        try:
            await asyncio.wait_for(self._over.wait(), delay_s)
        except TimeoutError:
            return
        self._over.clear()


def void_if_closed(loop: asyncio.AbstractEventLoop, function: Callable[[News], None], news: News) -> None:
    """Call ``function`` on the loop; a loop that has ended needs no news."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, news)
