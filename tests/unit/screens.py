"""Read an agent's screen in the way in which excerpts are made."""

from taskwire.domain.text.prose import make_readable
from taskwire.domain.text.terminal import extract_lines


def read_screen(screen: str) -> str:
    """Return the text of a screen as people read it."""
    return make_readable(extract_lines(screen))
