# SPDX-License-Identifier: Apache-2.0
"""Two ways to run a conversation: waiting on futures, or step by step from a main thread. A third: ``aio_runner``."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, TypeVar

from kineograph.client.engine import Engine
from kineograph.client.events import ClientEvent, JobEvent, LinkChanged
from kineograph.client.inbox import Inbox
from kineograph.client.verbs import Call, Conversation, Pause, Step, Tell, Ticket
from kineograph.errors import KineographError
from kineograph.wire.messages import JobState, JobStatus, Method

T = TypeVar("T")
OnStatus = Callable[[JobStatus], None]
OnRetry = Callable[[KineographError, float], None]
OnLink = Callable[[LinkChanged], None]
News = JobStatus | LinkChanged

_RANK = {JobState.QUEUED: 0, JobState.RUNNING: 1, JobState.CANCELLING: 2}


class Narrator:
    """Shows a job's statuses in order, each once: replies and events travel on two sockets and may cross.

    ``on_link`` gets every change of the connection, the state at the start first.
    """

    def __init__(self, on_status: OnStatus | None, on_retry: OnRetry | None, on_link: OnLink | None = None) -> None:
        self._on_status = on_status
        self._on_retry = on_retry
        self._on_link = on_link
        self._last: JobStatus | None = None

    @property
    def wants_news(self) -> bool:
        """Whether anybody wants to hear more than the end."""
        return self._on_status is not None or self._on_link is not None

    def hear(self, news: News) -> None:
        """Tell of what came by itself."""
        if isinstance(news, JobStatus):
            self.show(news)
        elif self._on_link is not None:
            self._on_link(news)

    def show(self, job: JobStatus) -> None:
        """Tell the listener, unless this is older than what it knows."""
        if self._on_status is None or (self._last is not None and not _is_news(job, self._last)):
            return
        self._last = job
        self._on_status(job)

    def retrying(self, pause: Pause) -> None:
        """Tell the listener what is tried again, and when."""
        if self._on_retry is not None and pause.error is not None:
            self._on_retry(pause.error, pause.delay_s)


def _is_news(new: JobStatus, old: JobStatus) -> bool:
    if new.job != old.job:
        return True
    return new != old and _age(new) >= _age(old)


def _age(job: JobStatus) -> tuple[int, int, float]:
    return (job.attempt, _RANK.get(job.state, 3), job.progress.fraction)


def is_end(news: News) -> bool:
    """Whether a job is over."""
    return isinstance(news, JobStatus) and news.state.is_final


def listen_to(ticket: Ticket, heard: Callable[[News], None]) -> Callable[[ClientEvent], None]:
    """A listener that passes on the statuses of the ticket's job, and how the connection stands."""

    def listener(event: ClientEvent) -> None:
        if isinstance(event, LinkChanged):
            heard(event)
        elif isinstance(event, JobEvent) and event.job.job == ticket.job:
            heard(event.job)

    return listener


class Done(NamedTuple, Generic[T]):
    """The conversation is over."""

    value: T


def advance(conversation: Conversation[T], reply: Any = None, error: BaseException | None = None) -> Step | Done[T]:
    """Hand in a reply (None at the start) or an error; get the next step or the end. Raises what it raises."""
    try:
        return conversation.send(reply) if error is None else conversation.throw(error)
    except StopIteration as end:
        return Done(end.value)


class SyncRunner:
    """Runs a conversation on the calling thread; ``narrator`` is called there too."""

    def __init__(self, engine: Engine, narrator: Narrator | None = None, watch: Ticket | None = None) -> None:
        self._engine = engine
        self._narrator = narrator or Narrator(None, None)
        self._watch = watch
        self._heard: queue.SimpleQueue[News | None] = queue.SimpleQueue()

    def run(self, conversation: Conversation[T]) -> T:
        """The conversation's value; raises what it raises."""
        stop = None
        if self._watch is not None:
            stop = self._engine.watch(listen_to(self._watch, self._heard.put), snapshots=False)
        try:
            step = advance(conversation)
            while not isinstance(step, Done):
                step = self._step(conversation, step)
            value: T = step.value
            return value
        finally:
            conversation.close()
            if stop is not None:
                stop()

    def _step(self, conversation: Conversation[T], step: Step) -> Step | Done[T]:
        match step:
            case Call(method, message, deadline_s):
                try:
                    reply = self._ask(method, message, deadline_s)
                except KineographError as e:
                    return advance(conversation, error=e)
                return advance(conversation, reply)
            case Pause():
                self._narrator.retrying(step)
                self._pause(step)
            case Tell(job):
                self._narrator.show(job)
        return advance(conversation)

    def _ask(self, method: Method, message: Any, deadline_s: float) -> Any:
        if self._watch is None:
            return self._engine.ask(method, message, deadline_s)
        future = self._engine.call(method, message, deadline_s)
        future.add_done_callback(lambda _: self._heard.put(None))
        while not future.done():
            news = self._heard.get()
            if news is not None:
                self._narrator.hear(news)
        self._show_rest()
        return future.result()

    def _show_rest(self) -> None:
        while not self._heard.empty():
            news = self._heard.get()
            if news is not None:
                self._narrator.hear(news)

    def _pause(self, step: Pause) -> None:
        if self._watch is None:
            time.sleep(step.delay_s)
            return
        end_s = time.monotonic() + step.delay_s
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                news = self._heard.get(timeout=left_s)
            except queue.Empty:
                return
            if news is not None:
                self._narrator.hear(news)
                if is_end(news) and step.error is None:
                    return


class Errand(Generic[T]):
    """A conversation that runs from ``inbox.poll()``: no call here ever waits.

    ``on_done`` gets the errand when it is over; ``value`` and ``error`` say how it went.
    """

    def __init__(
        self,
        engine: Engine,
        inbox: Inbox,
        conversation: Conversation[T],
        on_done: Callable[[Errand[T]], None] | None = None,
        narrator: Narrator | None = None,
        watch: Ticket | None = None,
    ) -> None:
        self.ticket = watch
        self.value: T | None = None
        self.error: BaseException | None = None
        self.is_done = False
        self._engine = engine
        self._inbox = inbox
        self._conversation = conversation
        self._on_done = on_done
        self._narrator = narrator or Narrator(None, None)
        self._stop_watching: Callable[[], None] | None = None
        if watch is not None:
            heard = listen_to(watch, lambda news: inbox.post(lambda: self._hear(news)))
            self._stop_watching = engine.watch(heard, snapshots=False)
        inbox.post(self._go)

    @property
    def job(self) -> str:
        """The id of the job at work, for ``cancel``."""
        return self.ticket.job if self.ticket is not None else ""

    def abandon(self) -> None:
        """Stop caring: nothing is called any more. The job itself goes on until it is cancelled."""
        self._finish(silent=True)

    def _hear(self, news: News) -> None:
        if not self.is_done:
            self._narrator.hear(news)

    def _go(self, reply: Any = None, error: BaseException | None = None) -> None:
        if self.is_done:
            return
        try:
            step = advance(self._conversation, reply, error)
            while isinstance(step, Tell):
                self._narrator.show(step.job)
                step = advance(self._conversation)
            if not isinstance(step, Done):
                self._do(step)
                return
            self.value = step.value
        except Exception as e:  # noqa: BLE001 - handed to on_done, which decides
            self.error = e
        self._finish()

    def _do(self, step: Call | Pause) -> None:
        if isinstance(step, Pause):
            self._narrator.retrying(step)
            self._inbox.post_later(step.delay_s, self._go)
            return
        try:
            future = self._engine.call(step.method, step.message, step.deadline_s)
        except KineographError as e:
            refused = e
            self._inbox.post(lambda: self._go(error=refused))
            return
        future.add_done_callback(lambda f: self._inbox.post(lambda: self._resume(f)))

    def _resume(self, future: Future[Any]) -> None:
        error = future.exception()
        self._go(None if error is not None else future.result(), error)

    def _finish(self, silent: bool = False) -> None:
        if self.is_done:
            return
        self.is_done = True
        if self._stop_watching is not None:
            self._stop_watching()
        if not silent and self._on_done is not None:
            self._on_done(self)
