"""The base class of all kinds of work. Work says what a job has to do."""

from typing import Any, Self

from pydantic import ConfigDict

from taskwire.domain.sealed_model import Readable, SealedModel

# The fields of a job's work that record earlier tries and a person's answer.
_TRIED = {"wait_count", "unreachable_since_ms", "look_count", "error_count", "was_rejected", "was_repeated"}
_PROGRESS_FIELDS = frozenset(_TRIED | {"question", "is_confirmed", "question_id", "question_outcome"})


class Work(SealedModel):
    """What a job has to do. Each kind of job has one subclass.

    A job is bound to its queue, so nobody without the key can move an act or a message to another task. A job
    for the link of a thread is written before its queue is known. It is bound to the thread instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The thread for whose link the job was written, as `channel:ts`; empty if the queue was known.
    claimed_in: Readable = ""

    @classmethod
    def find_place(cls, context: object, fields: dict[str, Any]) -> str:
        """Return the queue to which a job is bound; empty if it is bound to a thread, or to no queue."""
        return "" if fields.get("claimed_in") else super().find_place(context, fields)

    def without_progress(self) -> Self:
        """Return the work without the fields that earlier tries and people's answers have set."""
        fields = type(self).model_fields
        return self.model_copy(
            update={name: fields[name].default for name in _PROGRESS_FIELDS & fields.keys()}
        )
