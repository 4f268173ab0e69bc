"""A message for Slack: a text that is complete by itself, and blocks that show the same in a better form."""

from pydantic import BaseModel, ConfigDict, JsonValue

Block = dict[str, JsonValue]


class Message(BaseModel):
    """A message to post. `text` is what a notification shows, and is never empty."""

    model_config = ConfigDict(frozen=True)

    text: str
    blocks: tuple[Block, ...] = ()


class AgentOutput(BaseModel):
    """The agent's output for a notice. It is read once, so that every try of the notice posts the same."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    whole: str = ""
    cursor: str = ""


class View(BaseModel):
    """A dialog or a Home page, in Slack's format."""

    model_config = ConfigDict(frozen=True)

    content: Block
