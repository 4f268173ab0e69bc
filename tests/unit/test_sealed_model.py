"""A stored value has readable ids and encrypted texts, and opens only in its own record."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from taskwire.domain.ids import ChannelId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.phases import Observation, Report
from taskwire.domain.queueing.jobs import (
    Act,
    AnswerInThread,
    ApplyEvent,
    CreateRequested,
    Job,
    Reply,
    ReplyChanged,
)
from taskwire.domain.requester import FileRef, Requester
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import Message

ASKED = Requester(
    person=UserId("U1"), channel=ChannelId("C1"), at=Ts("1.2"), response_url="https://hooks.example/secret"
)
REPLY = Reply(
    person=UserId("U1"),
    ts=Ts("1.3"),
    text='fix the "login" — ünï \\ \U0001f680',
    files=(FileRef(id="F1", name="passwords.txt"), FileRef(id="F2", name="")),
    unreadable_files=("a.png",),
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SEEN = Observation(
    task_id=TaskId("t-1"),
    name="fix-the-login",
    title="Fix the login",
    owner_id="u-1",
    owner_name="alice",
    status="active",
    created_at=NOON,
    report=Report(id="r-1", at=NOON, state="working", message="I read the login"),
)
WORKS = [
    REPLY,
    ReplyChanged(ts=Ts("1.3"), change="edited", new_input=REPLY, previous_text="fix the logout"),
    CreateRequested(requester=ASKED, prompt=AgentText("fix the login"), template="docker"),
    ApplyEvent(event=Observed(observation=SEEN, reports=(SEEN.report, SEEN.report) if SEEN.report else ())),
    AnswerInThread(requester=ASKED, question="not_a_verb", text="!logn", words=("logs",), job="reply:C1:1.3"),
]
SECRETS = ("login", "logout", "passwords", "a.png", "hooks.example", "docker", "logn", "alice", "Fix")


@pytest.mark.parametrize("work", WORKS, ids=[type(each).__name__ for each in WORKS])
def test_what_is_written_is_read_again(work: Reply) -> None:
    """A stored job of any kind has exactly one encrypted value, and none of its texts is readable. When the
    job is read again, it is the same job."""
    job = Job(id="job:1", work=work)
    stored = job.model_dump_json()

    assert Job.model_validate_json(stored) == job
    assert stored.count("tws1.") == 1
    assert [each for each in SECRETS if each in stored] == []
    assert json.loads(stored)["work"]["kind"] == work.kind


def test_no_value_opens_in_another_record() -> None:
    """Nobody can copy Alice's words into a job of Bob's, or into a job of another kind."""
    alices = json.loads(REPLY.model_dump_json())
    bobs = alices | {"person": "U2"}

    with pytest.raises(ValidationError, match="it was encrypted for another place"):
        Reply.model_validate_json(json.dumps(bobs))
    with pytest.raises(ValidationError, match="it was encrypted for another place"):
        Message.model_validate_json(json.dumps({"text": "", "sealed": alices["sealed"]}))


@pytest.mark.parametrize("work", WORKS, ids=[type(each).__name__ for each in WORKS])
def test_what_is_not_signed_is_not_read(work: Reply) -> None:
    """A value without a signature is not read, because anybody who can write to Redis could have made it."""
    plain = json.dumps(work.model_dump(mode="python"), default=str)

    with pytest.raises(ValidationError, match="it is not signed, so this Taskwire has not written it"):
        type(work).model_validate_json(plain)


def test_a_person_cannot_write_a_sealed_value() -> None:
    """A person's text that looks like an encrypted value is stored as text."""
    typed = REPLY.model_copy(update={"text": "tws1.01234567.gAAAAA", "blocks": '{"sealed": "tws1."}'})

    assert Reply.model_validate_json(typed.model_dump_json()) == typed


def test_a_value_without_texts_is_signed_too() -> None:
    """A stored pause has no text to encrypt. The bot signs the readable fields of the job, so that nobody can
    forge or change them."""
    asked = ASKED.model_copy(update={"response_url": None})
    stored = json.loads(Act(requester=asked, verb="pause").model_dump_json())
    forged = stored | {"verb": "delete"}

    assert Act.model_validate_json(json.dumps(stored)).verb == "pause"
    with pytest.raises(ValidationError, match="it was encrypted for another place"):
        Act.model_validate_json(json.dumps(forged))
