"""A message for Slack: a text that is enough by itself, and blocks that say it better."""

from pydantic import BaseModel, ConfigDict, JsonValue

Block = dict[str, JsonValue]


class Message(BaseModel):
    """What is posted. `text` is what a notification shows and is never empty."""

    model_config = ConfigDict(frozen=True)

    text: str
    blocks: tuple[Block, ...] = ()


class AgentOutput(BaseModel):
    """What the agent wrote, read once, so that every try of its notice brings the same."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    whole: str = ""
    cursor: str = ""


class View(BaseModel):
    """A dialog or a Home page, as Slack takes it."""

    model_config = ConfigDict(frozen=True)

    content: Block
