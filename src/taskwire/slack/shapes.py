"""Block Kit as far as we use it: the shapes of blocks and elements, their lengths and counts.

Stricter than Slack where that catches slips of ours: no key that is not here, no null, no kind of block that
is not used. Numbers: https://docs.slack.dev/reference/block-kit. It ends at the single block; what holds for
all blocks of a message together is in `limits`.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Shape(BaseModel):
    """An object with exactly these keys."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="after")
    def _has_no_null(self) -> Self:
        nulls = [name for name in self.model_fields_set if getattr(self, name) is None]
        if nulls:
            raise ValueError(f"{nulls[0]} is null: leave it out")
        return self


class Plain(Shape):
    """Words as they are."""

    type: Literal["plain_text"]
    text: Annotated[str, Field(min_length=1)]
    emoji: bool | None = None


class Mrkdwn(Shape):
    """Words with Slack's own markup."""

    type: Literal["mrkdwn"]
    text: Annotated[str, Field(min_length=1)]
    verbatim: bool | None = None


Text = Annotated[Plain | Mrkdwn, Field(discriminator="type")]
Id = Annotated[str, Field(min_length=1, max_length=255)]
Url = Annotated[str, Field(min_length=1, max_length=3000)]
SlackId = Annotated[str, Field(min_length=1, max_length=40)]
SlackIds = Annotated[list[SlackId], Field(max_length=100)]


def up_to(most: int) -> AfterValidator:
    """Make the check that words have no more than so many characters."""

    def check(words: Plain | Mrkdwn) -> Plain | Mrkdwn:
        if len(words.text) > most:
            raise ValueError(f"{len(words.text)} characters, and {most} are allowed")
        return words

    return AfterValidator(check)


class Confirm(Shape):
    """The question before something is done."""

    title: Annotated[Plain, up_to(100)]
    text: Annotated[Text, up_to(300)]
    confirm: Annotated[Plain, up_to(30)]
    deny: Annotated[Plain, up_to(30)]
    style: Literal["primary", "danger"] | None = None


class OptionObject(Shape):
    """One choice of a menu."""

    text: Annotated[Text, up_to(75)]
    value: Annotated[str, Field(min_length=1, max_length=150)]
    description: Annotated[Text, up_to(75)] | None = None


class OptionGroup(Shape):
    """Choices under a heading."""

    label: Annotated[Plain, up_to(75)]
    options: Annotated[list[OptionObject], Field(min_length=1, max_length=100)]


class Element(Shape):
    """What a person can press or fill in."""

    action_id: Id
    confirm: Confirm | None = None


class ButtonElement(Element):
    """A button."""

    type: Literal["button"]
    text: Annotated[Plain, up_to(75)]
    value: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    url: Url | None = None
    style: Literal["primary", "danger"] | None = None
    accessibility_label: Annotated[str, Field(min_length=1, max_length=75)] | None = None


class Overflow(Element):
    """A menu behind three dots."""

    type: Literal["overflow"]
    options: Annotated[list[OptionObject], Field(min_length=1, max_length=5)]


class Menu(Element):
    """What all menus and inputs may have."""

    placeholder: Annotated[Plain, up_to(150)] | None = None
    focus_on_load: bool | None = None


class StaticMenu(Menu):
    """A menu of given choices: a list, or a list of groups."""

    options: Annotated[list[OptionObject], Field(min_length=1, max_length=100)] | None = None
    option_groups: Annotated[list[OptionGroup], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _has_one_list(self) -> Self:
        if (self.options is None) == (self.option_groups is None):
            raise ValueError("either options or option_groups")
        return self


class StaticSelect(StaticMenu):
    """One of given choices."""

    type: Literal["static_select"]
    initial_option: OptionObject | None = None


class MultiStaticSelect(StaticMenu):
    """Several of given choices."""

    type: Literal["multi_static_select"]
    initial_options: Annotated[list[OptionObject], Field(min_length=1, max_length=100)] | None = None
    max_selected_items: Annotated[int, Field(ge=1, le=100)] | None = None


class UsersSelect(Menu):
    """A person."""

    type: Literal["users_select"]
    initial_user: SlackId | None = None


class MultiUsersSelect(Menu):
    """Several people."""

    type: Literal["multi_users_select"]
    initial_users: SlackIds | None = None
    max_selected_items: Annotated[int, Field(ge=1, le=100)] | None = None


class ConversationFilter(Shape):
    """Which conversations a menu offers."""

    include: Annotated[list[Literal["im", "mpim", "private", "public"]], Field(min_length=1)] | None = None
    exclude_external_shared_channels: bool | None = None
    exclude_bot_users: bool | None = None


class ConversationsSelect(Menu):
    """A conversation."""

    type: Literal["conversations_select"]
    initial_conversation: SlackId | None = None
    default_to_current_conversation: bool | None = None
    response_url_enabled: bool | None = None
    filter: ConversationFilter | None = None


class ChannelsSelect(Menu):
    """A public channel."""

    type: Literal["channels_select"]
    initial_channel: SlackId | None = None
    response_url_enabled: bool | None = None


class Checkboxes(Element):
    """Boxes to tick."""

    type: Literal["checkboxes"]
    options: Annotated[list[OptionObject], Field(min_length=1, max_length=10)]
    initial_options: Annotated[list[OptionObject], Field(min_length=1, max_length=10)] | None = None
    focus_on_load: bool | None = None


class RadioButtons(Element):
    """One of a few choices, all in sight."""

    type: Literal["radio_buttons"]
    options: Annotated[list[OptionObject], Field(min_length=1, max_length=10)]
    initial_option: OptionObject | None = None
    focus_on_load: bool | None = None


class TimePicker(Menu):
    """A time of day."""

    type: Literal["timepicker"]
    initial_time: Annotated[str, Field(pattern=r"^\d\d:\d\d$")] | None = None


class DispatchConfig(Shape):
    """When typing tells us at once."""

    trigger_actions_on: Annotated[
        list[Literal["on_enter_pressed", "on_character_entered"]], Field(min_length=1, max_length=2)
    ]


class PlainTextInput(Shape):
    """A field to type in."""

    type: Literal["plain_text_input"]
    action_id: Id
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    multiline: bool | None = None
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None
    placeholder: Annotated[Plain, up_to(150)] | None = None
    focus_on_load: bool | None = None
    dispatch_action_config: DispatchConfig | None = None


class ImageElement(Shape):
    """A small picture."""

    type: Literal["image"]
    image_url: Url
    alt_text: Annotated[str, Field(min_length=1, max_length=2000)]


_Choice = (
    StaticSelect | UsersSelect | ConversationsSelect | ChannelsSelect | Checkboxes | RadioButtons | TimePicker
)
_Several = MultiStaticSelect | MultiUsersSelect
InActions = Annotated[ButtonElement | Overflow | _Choice, Field(discriminator="type")]
Accessory = Annotated[
    ButtonElement | Overflow | _Choice | _Several | ImageElement, Field(discriminator="type")
]
InContext = Annotated[
    ImageElement | Annotated[Plain, up_to(2000)] | Annotated[Mrkdwn, up_to(2000)],
    Field(discriminator="type"),
]
InInput = Annotated[PlainTextInput | _Choice | _Several, Field(discriminator="type")]
