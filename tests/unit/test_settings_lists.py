"""Lists in the settings that restrict Taskwire. A mistake must not make such a list empty."""

import pytest

from taskwire import settings
from taskwire.settings_errors import SettingsError
from tests.unit.test_settings import GOOD

LISTS = (
    *("TASKWIRE_ALLOWED_GROUPS", "TASKWIRE_ALLOWED_CHANNELS", "TASKWIRE_ALLOWED_WORKSPACES"),
    *("TASKWIRE_SHARED_CHANNELS", "TASKWIRE_ADMINS"),
)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("value", [",", " , ", ",,\n,"])
def test_a_list_without_an_id_is_refused(name: str, value: str) -> None:
    """A list has only commas, for example because a script had no ids. A sentence says what to do."""
    with pytest.raises(SettingsError) as caught:
        settings.from_values(GOOD | {name: value})

    assert caught.value.sentences == [
        f"{name} is wrong: it must have at least one id, and there are only commas; to have no such list, "
        "leave the setting empty."
    ]


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_setting_restricts_nothing(value: str) -> None:
    """A chart writes a list that is not set as an empty text."""
    loaded = settings.from_values(GOOD | dict.fromkeys(LISTS, value))

    assert not loaded.has_lists
    assert loaded.admins == ()
