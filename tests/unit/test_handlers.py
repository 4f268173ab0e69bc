"""The table of handlers: every kind of job has exactly one handler, or the bot does not start."""

from typing import get_args

import pytest

from taskwire.domain.queueing.jobs import JOB_KINDS, AnyWork, PostText, Reply
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.worker import handlers_by_kind

WORKS = get_args(get_args(AnyWork)[0])


async def _run(_: JobContext) -> Outcome:
    return done()


def test_every_kind_of_job_has_its_handler() -> None:
    """The table has one handler for each kind of job that the store can hold."""
    handlers = [Handler.without_link(work, _run) for work in WORKS]

    table = handlers_by_kind(handlers)

    assert table.keys() == JOB_KINDS
    assert {kind: handler.work.__name__ for kind, handler in table.items()}["reply"] == "Reply"


def test_nothing_starts_if_a_kind_of_job_has_no_handler() -> None:
    """The bot does not start if a kind of job has no handler. Otherwise a job of that kind would fail for a
    day before anybody noticed."""
    handlers = [Handler.without_link(work, _run) for work in WORKS if work not in (Reply, PostText)]

    with pytest.raises(ValueError, match="no handler for jobs of kind post_text, reply"):
        handlers_by_kind(handlers)


def test_nothing_starts_if_a_kind_of_job_has_two_handlers() -> None:
    """The bot does not start if a kind of job has two handlers. Otherwise nobody could tell which handler
    would run."""
    handlers = [Handler.without_link(work, _run) for work in (*WORKS, Reply)]

    with pytest.raises(ValueError, match="two handlers for jobs of kind reply"):
        handlers_by_kind(handlers)
