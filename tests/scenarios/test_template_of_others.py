"""The default template of a channel is one that not everybody in the channel may use in Coder."""

from .test_channel_settings import set_channel
from .world import World


async def test_a_template_that_coder_does_not_show_is_told_and_not_preselected(personal: World) -> None:
    """Alice sets a template that Coder shows only to her. Bob reads why nothing was created. His form and the
    channel's settings have the other templates, and do not name hers."""
    big = personal.coder.add_template("big", display_name="Big ones")
    await set_channel(personal, template="Big ones")
    big.readable_by = big.usable_by = {personal.coder.user("alice").id}

    await personal.bob.types("/task create fix it")
    told = personal.bob.reads()
    await personal.bob.types("/task create")
    form = personal.bob.dialog()
    await personal.bob.types("/task settings")
    settings = personal.bob.dialog()

    assert told == [
        "The template of this channel is no longer in Coder, or you can't use it, so nothing was created. "
        "Name another one (`template=NAME`), or choose one for everybody here in `/task settings`."
    ]
    assert "Template: Tasks on Docker\n" in form
    assert (
        ":warning: The template that was set here is no longer in Coder, or you can't use it.\n" in settings
    )
    assert "Big ones" not in form + settings
    assert not personal.coder.tasks


async def test_a_template_that_coder_only_shows_is_refused_in_coders_words(personal: World) -> None:
    """Coder shows the channel's template to Bob, but he may not use it. Coder's sentence says so."""
    big = personal.coder.add_template("big", display_name="Big ones")
    await set_channel(personal, template="Big ones")
    big.usable_by = {personal.coder.user("alice").id}

    thread = await personal.bob.runs("/task create fix it")

    assert personal.bob.reads() == [
        'The task was not created. Coder said: Unauthorized access to use the template "big". Although you '
        "are able to view the template, you are unable to create a workspace using it. Please contact an "
        "administrator about your permissions if you feel this is an error."
    ]
    assert not personal.coder.tasks
    assert thread.new_messages() == []
