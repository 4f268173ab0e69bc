"""The base class of all kinds of work. Work says what a job has to do."""

from typing import Self

from pydantic import ConfigDict

from taskwire.domain.sealed_model import SealedModel

# The fields of a job's work that record earlier tries and a person's answer.
_TRIED = {"wait_count", "unreachable_since_ms", "look_count", "error_count", "was_rejected", "was_repeated"}
_PROGRESS_FIELDS = frozenset(_TRIED | {"question", "is_confirmed", "question_id", "question_outcome"})


class Work(SealedModel):
    """What a job has to do. Each kind of job has one subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def without_progress(self) -> Self:
        """Return the work without the fields that earlier tries and people's answers have set."""
        fields = type(self).model_fields
        return self.model_copy(
            update={name: fields[name].default for name in _PROGRESS_FIELDS & fields.keys()}
        )
