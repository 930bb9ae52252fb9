"""How a worker takes messages from the broker: it outlives every restart of the broker, and can stop taking any."""

from __future__ import annotations

import logging

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)


class LastingConsumer(Consumer):
    """Celery's consumer, which also survives that a lost connection cannot be closed.

    On closing a channel, kombu puts messages that were not acknowledged back into the queue. Where the broker goes away
    while there are some, the channel has no connection left to do so with, and an AttributeError would end the worker.
    The messages do not matter: the rows in the database say what is to be done, and the reaper sends it again.
    """

    resting: tuple[str, ...] = ()
    """Queues that it took messages from before it was told to take none."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except Exception as error:
            # The connection is forgotten by now; the next attempt opens another.
            log.warning("A lost connection to the broker could not be closed: %r", error)

    def queues_taken(self) -> list[str]:
        """The queues it takes messages from, sorted."""
        return sorted(queue.name for queue in self.task_consumer.queues)

    def rest(self, resting: bool) -> None:
        """Take no more messages, also after the connection was lost, or take them again; what runs goes on either way."""
        if resting and not self.resting:
            self.resting = tuple(self.queues_taken())
            for queue in self.resting:
                self.cancel_task_queue(queue)
        elif self.resting and not resting:
            for queue in self.resting:
                self.add_task_queue(queue)
            self.resting = ()
