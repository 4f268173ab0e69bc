"""Lets people of a storm connect their own Coder accounts. Their later acts are then done with these
accounts."""

from collections import defaultdict

from taskwire.domain.text.message import Button
from taskwire.tasks.connect import KEY_NAME, OTHER_KEY_NAME
from taskwire_sandbox.slack.backend import Ephemeral

from .promises import Press, find_button
from .surfaces import Surfaces
from .tally import Wrong

# A person asks at most this many times for the dialog. They submit only one token, because a new connection
# deletes the token that other jobs use.
MOST_ATTEMPTS = 5


class Connecting:
    """Connects people's accounts. Checks their tokens at the end of the storm."""

    def __init__(self, surfaces: Surfaces) -> None:
        self._surfaces = surfaces
        self._slack, self._coder = surfaces.slack, surfaces.coder
        # The tokens that each person has pasted into a dialog.
        self._pasted: dict[str, list[tuple[str, Press]]] = defaultdict(list)

    async def connect(self, person: str, channel: str) -> None:
        """Connect a person's account. If the dialog does not open, ask for the dialog again."""
        for _ in range(MOST_ATTEMPTS):
            is_pasted = await self._paste(person, channel)
            self._surfaces.note("connect", is_done=is_pasted)
            if is_pasted:
                return

    async def _paste(self, person: str, channel: str) -> bool:
        """Ask for the dialog, and submit a token from Coder's page in it. Return false if the bot did not
        offer the dialog in time."""
        before = len(self._slack.ephemerals(person))
        async with self._surfaces.dialog(person) as opened:
            await self._slack.command(person, channel, "/task", "connect")

            def find() -> Ephemeral | None:
                new = self._slack.ephemerals(person)[before:]
                return next((each for each in new if find_button(each.body, Button.CONNECT)), None)

            offer = await self._surfaces.wait(find)
            if offer is None:
                return False
            await self._surfaces.click_private(person, offer, Button.CONNECT)
            view = await opened()
            if view is None:
                return False
            token = self._coder.add_token(person)
            press = await self._surfaces.submit(person, view, {"account.token": token})
            self._pasted[person].append((token, press))
        return True

    def count_requests(self) -> int:
        """Return the number of requests that Coder got with people's own accounts."""
        people = set(self._surfaces.people)
        return sum(seen.user in people for seen in self._coder.requests)

    def judge(self) -> dict[Wrong, list[str]]:
        """Return a sentence for each broken promise about tokens, by its kind: `lost`, `twice` or `untrue`.
        Each connected person must have exactly one token that the bot has made. The tokens that people pasted
        must be deleted."""
        wrongs: dict[Wrong, list[str]] = {"lost": [], "twice": [], "untrue": []}
        for person, pasted in self._pasted.items():
            own, is_kept_to = self._list_own(person), self._surfaces.promises.is_kept_to
            if len(own) > 1:
                wrongs["twice"].append(f"{person} has the tokens {own}")
            if not own and any(is_kept_to(press) for _, press in pasted):
                wrongs["lost"].append(f"{person} has connected, and has no token")
            left = [token for token, press in pasted if is_kept_to(press) and self._is_left(token)]
            wrongs["untrue"] += [f"a token is left that {person} has pasted" for _ in left]
        return wrongs

    def _list_own(self, person: str) -> list[str]:
        """List the names of a person's tokens that the bot has made."""
        tokens = self._coder.world.tokens.values()
        names = [token.name for token in tokens if token.user.username == person]
        return [name for name in names if name in (KEY_NAME, OTHER_KEY_NAME)]

    def _is_left(self, token: str) -> bool:
        return token.partition("-")[0] in self._coder.world.tokens
