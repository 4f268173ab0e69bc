"""Taskwire estimates Slack's time from Slack's answers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.ids import Ts
from taskwire.slack.clock import SlackClock

T0 = 1_800_000_000.0


class Host:
    """A host whose clock is ahead of the real time by `off` seconds. A network with delays is between the
    host and Slack."""

    def __init__(self, off: float) -> None:
        self.real = T0
        self.off = off
        self.clock = SlackClock(lambda: self.real + self.off)

    def asks(self, there: float = 0.1, back: float = 0.1) -> None:
        """Call Slack, and read the `Date` header of the answer. The call takes `there` seconds to Slack, and
        the answer `back` seconds."""
        sent = self.clock.local_time()
        self.real += there
        date = datetime.fromtimestamp(int(self.real), UTC)
        self.real += back
        self.clock.record_answer(date, sent)

    def posts(self, there: float = 0.01, back: float = 0.01) -> None:
        """Post a message, and read the message's ts. The call takes `there` seconds to Slack, and the answer
        `back` seconds."""
        sent = self.clock.local_time()
        self.real += there
        ts = Ts(f"{self.real:.6f}")
        self.real += back
        self.clock.record_post(ts, sent)

    def is_brought(self, late: float) -> None:
        """Receive a message that was written `late` seconds ago."""
        self.clock.record_payload(Ts(f"{self.real - late:.6f}"))

    @property
    def error(self) -> float:
        """Return by how many seconds the estimate is ahead of the real time."""
        return self.clock.now().timestamp() - self.real


def test_a_clock_that_is_right_is_left_alone() -> None:
    """If our clock is right, the estimate stays exact, although `Date` has only whole seconds."""
    host = Host(off=0.0)
    host.asks()

    assert host.error == pytest.approx(0, abs=1e-5)


def test_before_any_answer_our_own_clock_counts() -> None:
    """Before Slack's first answer, the estimate is the time of our own clock."""
    assert Host(off=5.0).error == pytest.approx(5, abs=1e-5)


@settings(deadline=None)
@given(
    off=st.floats(-1e5, 1e5),
    calls=st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0, 90)), min_size=1, max_size=8),
)
def test_one_answer_is_enough_to_be_right_within_a_second(
    off: float, calls: list[tuple[float, float, float]]
) -> None:
    """After one answer of Slack, the error is at most a second plus the duration of the call. More answers do
    not increase the error."""
    host = Host(off)
    bound = 1.0 + 0.8 + 0.001
    for there, back, pause in calls:
        host.asks(there, back)
        assert abs(host.error) <= bound
        host.real += pause


def test_many_answers_narrow_it_down() -> None:
    """If answers of Slack come at different parts of a second, the error gets smaller than after one
    answer."""
    host = Host(off=600.0)
    for _ in range(40):
        host.asks(there=0.02, back=0.02)
        host.real += 1.037

    assert abs(host.error) < 0.1


def test_a_post_tells_it_to_the_duration_of_the_call() -> None:
    """After a post, the error is at most the duration of the call, because the post's ts has microseconds."""
    host = Host(off=600.0)
    host.asks()
    host.posts()

    assert abs(host.error) <= 0.011


@pytest.mark.parametrize("steps", [-600.0, 600.0])
def test_a_clock_that_is_set_is_followed_at_the_next_answer(steps: float) -> None:
    """If somebody sets our clock or Slack's clock, the estimate is right again after Slack's next answer."""
    host = Host(off=600.0)
    host.asks()
    host.off += steps

    host.asks()

    assert abs(host.error) < 1.3


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-0.3, 0.3), st.booleans()), max_size=20))
def test_moments_are_told_in_order(happenings: list[tuple[float, bool]]) -> None:
    """If one command is later than another, it gets a later time, even while the estimate changes."""
    host = Host(off=600.0)
    host.asks()
    told = [host.clock.now()]
    for off, is_asking in happenings:
        host.off = 600.0 + off
        if is_asking:
            host.asks()
        told.append(host.clock.now())

    assert told == sorted(set(told))


def test_a_command_is_later_than_a_message_that_came_before_it() -> None:
    """If a command arrives after a message, it gets a later time than the message, although `Date` has only
    whole seconds."""
    host = Host(off=-600.0)
    host.real += 0.9
    host.asks(there=0.0, back=0.0)
    host.is_brought(late=0.0)
    written = host.real
    host.real += 0.01

    assert host.clock.now().timestamp() > written


def test_an_old_message_tells_nothing() -> None:
    """If an old message arrives, the estimate does not change, because Slack may deliver a message again
    after minutes."""
    host = Host(off=0.0)
    host.asks()
    host.is_brought(late=300.0)

    assert host.error == pytest.approx(0, abs=1e-5)
