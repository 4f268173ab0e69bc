"""An encrypted value opens only with its key, for its purpose, and for a limited time."""

import json

import pytest

from taskwire import sealing
from taskwire.sealing import CannotOpen, KeyMissing, KeyRing, MaxAge

OLD, NEW, OTHER = (sealing.make_key() for _ in range(3))
TEXT = 'fix the "login" of @alice \ud83d\ude80 \n\\ \udc80'


def test_what_was_sealed_opens_for_its_purpose_alone() -> None:
    """An encrypted value that somebody copies to another place in Redis does not open there."""
    ring = KeyRing([NEW])
    sealed = ring.seal(TEXT, "of alice")

    assert ring.open(sealed, "of alice") == TEXT
    with pytest.raises(CannotOpen, match="it was encrypted for another place"):
        ring.open(sealed, "of bob")


@pytest.mark.parametrize("place", [0, 4, 7, 20, -9])
def test_a_changed_value_does_not_open(place: int) -> None:
    """Nobody without a key can make or change an encrypted value."""
    ring = KeyRing([NEW])
    sealed = ring.seal("a text", "here")
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 or len(sealed) :]

    with pytest.raises(CannotOpen):
        ring.open(changed, "here")


def test_an_old_value_does_not_open_where_only_a_new_one_may_be() -> None:
    """An encrypted value that is older than the given time limit does not open. So nobody can put an old
    value back."""
    ring = KeyRing([NEW])
    sealed = ring.seal("a text", "here", now_seconds=1_000)

    assert ring.open(sealed, "here", MaxAge(60, now_seconds=1_060)) == "a text"
    with pytest.raises(CannotOpen, match="it was changed, or is too old"):
        ring.open(sealed, "here", MaxAge(60, now_seconds=1_061))


def test_after_a_rotation_old_values_open_and_new_ones_have_the_new_key() -> None:
    """When all values are encrypted with the new key, the old key is no longer needed."""
    before = KeyRing([OLD]).seal("a text", "here")
    ring = KeyRing([NEW, OLD])
    stored = json.dumps({"a": json.dumps({"b": before}), "c": "tws1. is no value"})

    anew = ring.reseal(stored)

    assert ring.open(before, "here") == "a text"
    assert sealing.list_key_ids(stored) == [ring.ids[1]]
    assert sealing.list_key_ids(anew) == [ring.newest_id]
    resealed = json.loads(json.loads(anew)["a"])["b"]
    assert KeyRing([NEW]).open(resealed, "here") == "a text"
    assert ring.reseal(anew) == anew


def test_a_rotation_does_not_make_an_old_value_new() -> None:
    """A value that is encrypted again keeps the time of its first encryption."""
    sealed = KeyRing([OLD]).seal("a text", "here", now_seconds=1_000)

    anew = KeyRing([NEW, OLD]).reseal(sealed)

    assert KeyRing([NEW]).open(anew, "here", MaxAge(60, now_seconds=1_060)) == "a text"
    with pytest.raises(CannotOpen):
        KeyRing([NEW]).open(anew, "here", MaxAge(60, now_seconds=1_061))


def test_a_missing_key_is_named() -> None:
    """The error says which key is missing, and contains no part of any key."""
    sealed = KeyRing([OLD]).seal("a text", "here")

    with pytest.raises(KeyMissing) as caught:
        KeyRing([NEW, OTHER]).open(sealed, "here")

    assert str(caught.value) == (
        f"it was encrypted with the key {KeyRing([OLD]).newest_id}, which TASKWIRE_SECRET_KEYS does not have"
    )
    assert KeyRing([NEW, OTHER]).reseal(sealed) == sealed


def test_a_hash_cannot_be_computed_without_the_key() -> None:
    """A hash of a text needs the key. Otherwise anybody could guess a short text from its hash."""
    old, new = KeyRing([OLD]), KeyRing([NEW])

    assert new.digest("a", "b") == KeyRing([NEW, OLD]).digest("a", "b")
    assert len({new.digest("a", "b"), old.digest("a", "b"), new.digest("ab")}) == 3
