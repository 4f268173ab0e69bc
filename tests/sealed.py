"""Opens sealed values in Redis, for tests that read or change them."""

import json
import re
from typing import Any, get_args

from cryptography.fernet import Fernet

from taskwire import sealing
from taskwire.domain.queueing.jobs import AnyWork
from taskwire.domain.sealed_model import SEALED, SealedModel, make_purpose, opened
from tests.keys import KEY

_KINDS: dict[str, type[SealedModel]] = {
    str(kind.model_fields["kind"].default): kind for kind in get_args(get_args(AnyWork)[0])
}
# The content of a sealed value begins with a digest of its purpose, which has this many bytes. The text
# follows.
_PURPOSE_BYTES = 16


def open_job(body: str, queue: str) -> dict[str, Any]:
    """Return a job of this queue whose texts are no longer sealed, so that a test can change the job.
    `seal_job` seals the job again."""
    job: dict[str, Any] = json.loads(body)
    work = job["work"]
    if SEALED in work:
        kind = _KINDS[work["kind"]]
        job["work"] = opened(kind, work, kind.find_place(queue, work))
    return job


def seal_job(job: dict[str, Any], queue: str | None = None) -> str:
    """Return the text with which Redis stores a job that has these fields, in this queue. `job` may have
    additional fields of another version of Taskwire. Without `queue`, the job is bound to no queue."""
    kind, work = _KINDS[job["work"]["kind"]], job["work"]
    known = {name: value for name, value in work.items() if name in kind.model_fields}
    place = kind.find_place(queue, work)
    stored = json.loads(kind.model_validate(known).model_dump_json(context=queue))
    content = sealing.key_ring().open(stored.pop(SEALED), make_purpose(kind, stored, place))
    stored |= {name: value for name, value in work.items() if name not in known}
    sealed = sealing.key_ring().seal(content, make_purpose(kind, stored, place))
    return json.dumps(job | {"work": stored | {SEALED: sealed}})


def open_all(text: str) -> str:
    """Return a text in which each sealed value is replaced by its content."""

    def replace(found: re.Match[str]) -> str:
        return open_all(Fernet(KEY).decrypt(found[1])[_PURPOSE_BYTES:].decode("utf-8", "surrogatepass"))

    return re.sub(r"tws1\.[0-9a-f]{8}\.([\w-]+=*)", replace, text)
