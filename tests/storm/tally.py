"""What a storm has counted, and whether it is good."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The counts of one storm."""

    posts: int = 0
    kills: int = 0
    stops: int = 0
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    unfinished: int = 0
    twice_at_any_time: int = 0
    seconds: float = 0.0
    events: Counter[str] = field(default_factory=Counter)

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing twice, nothing out of order, nothing left to do."""
        return not (self.lost or self.twice or self.out_of_order or self.unfinished)

    def count_thread(self, expected: Sequence[str], found: Sequence[str]) -> None:
        """Compare what a thread should hold with what it holds."""
        copies = Counter(found)
        self.posts += len(expected)
        self.lost += sum(1 for text in expected if not copies[text])
        self.twice += sum(number - 1 for number in copies.values())
        place = {text: at for at, text in enumerate(expected)}
        firsts = [place[text] for text in dict.fromkeys(found)]
        self.out_of_order += sum(1 for before, after in itertools.pairwise(firsts) if after < before)

    def lines(self) -> list[str]:
        """The counts, as they are printed."""
        events = self.events
        return [
            f"posts            {self.posts} in {self.seconds:.0f} s",
            f"kills, stops     {self.kills}, {self.stops}",
            f"lost             {self.lost}",
            f"twice            {self.twice} at the end, {self.twice_at_any_time} at any time",
            f"out of order     {self.out_of_order}",
            f"unfinished       {self.unfinished} lists",
            f"read back        {events['found']} found, {events['not found']} not there, "
            f"{events['found at once']} found at once",
            f"tidied           {events['tidied']} second copies removed",
            f"turns lost       {events['turn lost']}",
            f"not yet          {events['not yet']}",
            f"gave up          {events['gave up']}",
        ]
