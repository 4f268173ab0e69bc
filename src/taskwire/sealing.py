"""Seals the texts of people and agents, and the data that decides rights, before Redis stores them.

To seal means to encrypt and sign. A sealed value is a Fernet token (AES-128-CBC and HMAC-SHA256) with the id
of its key before it. The token also contains the purpose of the value, so a value that was copied to another
place cannot be opened there. A sealed value has no character that JSON or Lua would escape. So it can be
found and replaced inside any stored text.

One process has one key ring. `install_keys` and `install_mask` set it up at the start. This module has no
other state.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

# The beginning of each sealed value. The number is the version of the format.
MARK = "tws1."
_SEALED = re.compile(r"tws1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+=*)")
_PURPOSE_BYTES = 16


class MaxAge(NamedTuple):
    """How old a sealed value may be, and the present time by the clock that was used to seal it."""

    seconds: float
    now_seconds: float


class CannotOpen(ValueError):
    """The sealed value cannot be opened: its key is missing, or it was not sealed for this purpose."""


class KeyMissing(CannotOpen):
    """The value was sealed with a key that this process does not have."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"it was encrypted with the key {key_id}, which TASKWIRE_SECRET_KEYS does not have")
        self.key_id = key_id


def make_key() -> str:
    """Return a new random key."""
    return Fernet.generate_key().decode()


def is_key(text: str) -> bool:
    """Whether the text is a Fernet key."""
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


class KeyRing:
    """The keys of this deployment, the newest first.

    The newest key seals new values. Each key opens the values that it has sealed.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        unique = tuple(dict.fromkeys(keys))
        self._fernets = {_id_of(key): Fernet(key) for key in unique}
        self.newest_id = _id_of(unique[0])
        self._newest = self._fernets[self.newest_id]
        self._sign_keys = {
            _id_of(key): hashlib.sha256(b"taskwire signature" + key.encode()).digest() for key in unique
        }
        self._hash_key = hashlib.sha256(b"taskwire digest" + unique[0].encode()).digest()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the newest first."""
        return tuple(self._fernets)

    def seal(self, text: str, purpose: str, now_seconds: float | None = None) -> str:
        """Return the sealed text. It can be opened only for the same purpose.

        `now_seconds` is the time of sealing, in seconds since 1970. If it is None, the clock of this host is
        used.
        """
        content = _mark_of(purpose) + text.encode("utf-8", "surrogatepass")
        token = self._newest.encrypt_at_time(
            content, int(time.time() if now_seconds is None else now_seconds)
        )
        return f"{MARK}{self.newest_id}.{token.decode()}"

    def open(self, sealed: str, purpose: str, max_age: MaxAge | None = None) -> str:
        """Return the text of a sealed value.

        Raises KeyMissing if the key is missing. Raises CannotOpen if the value was not sealed by Taskwire,
        was sealed for another purpose, or is too old.
        """
        content = self._decrypt(sealed, max_age)
        if not hmac.compare_digest(content[:_PURPOSE_BYTES], _mark_of(purpose)):
            raise CannotOpen("it was encrypted for another place")
        return content[_PURPOSE_BYTES:].decode("utf-8", "surrogatepass")

    def _decrypt(self, sealed: str, max_age: MaxAge | None = None) -> bytes:
        found = _SEALED.fullmatch(sealed)
        if found is None:
            raise CannotOpen("it is no encrypted value")
        fernet = self._fernets.get(found[1])
        if fernet is None:
            raise KeyMissing(found[1])
        try:
            if max_age is None:
                return fernet.decrypt(found[2])
            return fernet.decrypt_at_time(found[2], int(max_age.seconds), int(max_age.now_seconds))
        except InvalidToken:
            raise CannotOpen("it was changed, or is too old") from None

    def digest(self, *parts: str) -> str:
        """Return a short hash that nobody without the key can compute. A new key gives another hash."""
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._hash_key, text, hashlib.sha256).hexdigest()[:16]

    def sign(self, text: str, purpose: str) -> str:
        """Return a signature of a text that stays readable: the id of the newest key, a dot, and an HMAC."""
        return f"{self.newest_id}.{self._hmac(self.newest_id, text, purpose)}"

    def is_signed(self, text: str, purpose: str, signature: str) -> bool:
        """Return whether `signature` is the signature of the text.

        Raises KeyMissing if the key is missing.
        """
        key_id, _, given = signature.partition(".")
        if key_id not in self._sign_keys:
            raise KeyMissing(key_id[:8])
        return hmac.compare_digest(given.encode(), self._hmac(key_id, text, purpose).encode())

    def _hmac(self, key_id: str, text: str, purpose: str) -> str:
        content = _mark_of(purpose) + text.encode("utf-8", "surrogatepass")
        return hmac.new(self._sign_keys[key_id], content, hashlib.sha256).hexdigest()

    def find_content(self, sealed: str, purpose: str) -> str | None:
        """Return the text of a value that is sealed for this purpose; None for any other value.

        None also if the key of the value is missing.
        """
        try:
            return self.open(sealed, purpose)
        except CannotOpen:
            return None

    def reseal_for(self, sealed: str, old: str, new: str) -> str:
        """Return a value that is sealed for the purpose `old` as it is sealed for `new`.

        It keeps the time at which it was first sealed. Any other value stays unchanged.
        """
        content, found = self.find_content(sealed, old), _SEALED.fullmatch(sealed)
        if content is None or found is None:
            return sealed
        return self.seal(content, new, self._fernets[found[1]].extract_timestamp(found[2]))

    def reseal(self, text: str) -> str:
        """Return a stored text in which each sealed value is encrypted with the newest key.

        Other text stays unchanged, and so do values whose key this ring does not have. Each value keeps the
        time at which it was first sealed, so that its age stays true.
        """

        def replace(found: re.Match[str]) -> str:
            if found[1] == self.newest_id:
                return found[0]
            try:
                content = self._decrypt(found[0])
            except CannotOpen:
                return found[0]
            # The text of a sealed value may contain other sealed values.
            text = self.reseal(content[_PURPOSE_BYTES:].decode("utf-8", "surrogatepass"))
            anew = content[:_PURPOSE_BYTES] + text.encode("utf-8", "surrogatepass")
            sealed_at = self._fernets[found[1]].extract_timestamp(found[2])
            return f"{MARK}{self.newest_id}.{self._newest.encrypt_at_time(anew, sealed_at).decode()}"

        return _SEALED.sub(replace, text)


def list_key_ids(text: str) -> list[str]:
    """Return the id of the key of each sealed value in a stored text."""
    return [found[1] for found in _SEALED.finditer(text)]


def is_sealed(text: str) -> bool:
    """Whether the whole text is a sealed value."""
    return text.startswith(MARK) and _SEALED.fullmatch(text) is not None


def parse_keys(text: str) -> tuple[str, ...]:
    """Split a text at commas and line breaks, and return the keys in it."""
    return tuple(word for word in re.split(r"[,\s]+", text) if word)


class _Installed:
    """The keys with which this process seals, and the function that first masks our own tokens."""

    keys: KeyRing | None = None
    mask: Callable[[str], str] = staticmethod(str)


_INSTALLED: Final = _Installed()


def install_keys(keys: Iterable[str]) -> KeyRing:
    """Let this process seal and open with these keys, the newest first."""
    _INSTALLED.keys = KeyRing(tuple(keys))
    return _INSTALLED.keys


def install_mask(mask_stored: Callable[[str], str]) -> None:
    """Set the function that masks our own tokens in values before they are sealed."""
    _INSTALLED.mask = mask_stored


def key_ring() -> KeyRing:
    """Return this process's keys."""
    if _INSTALLED.keys is None:
        raise RuntimeError("this process has no keys yet: call install_keys first")
    return _INSTALLED.keys


def masked(text: str) -> str:
    """Return a text with our own tokens masked."""
    return _INSTALLED.mask(text)


def seal_text(text: str, place: str) -> str:
    """Return a text as it is stored at a place in Redis: masked of our own tokens, and sealed."""
    return key_ring().seal(masked(json.dumps(text, ensure_ascii=False)), place)


def open_text(stored: str, place: str) -> str:
    """Return the text that is stored at a place; an empty text if nothing is stored.

    Raises CannotOpen if the stored value cannot be opened for this place.
    """
    if not stored:
        return ""
    found: str = json.loads(key_ring().open(stored, place))
    return found


def _id_of(key: str) -> str:
    return hashlib.sha256(b"taskwire key id" + key.encode()).hexdigest()[:8]


def _mark_of(purpose: str) -> bytes:
    return hashlib.sha256(purpose.encode("utf-8", "surrogatepass")).digest()[:_PURPOSE_BYTES]
