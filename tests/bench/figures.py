"""A benchmark's figures: each is a measured value and the baseline of the same run."""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass

WIDTHS = (68, 16, 16, 8, 19)


@dataclass(frozen=True)
class Figure:
    """One line of the table of benchmarks. A figure without a baseline is compared only with its target."""

    measure: str
    ours: float
    unit: str = "ms"
    baseline: float | None = None
    baseline_is: str = ""
    target: str = ""

    @property
    def ratio(self) -> float | None:
        """Return the measured value divided by the baseline, or None if there is no baseline."""
        return self.ours / self.baseline if self.baseline else None

    def as_json(self) -> dict[str, object]:
        """Return the figure for `--json`."""
        ratio = self.ratio
        return {**asdict(self), "ratio": None if ratio is None else round(ratio, 4)}

    def as_line(self) -> str:
        """Return the figure as a line of the table."""
        ratio = self.ratio
        columns = (
            self.measure,
            _amount(self.ours, self.unit),
            "" if self.baseline is None else _amount(self.baseline, self.unit),
            "" if ratio is None else f"{ratio:.4f}" if ratio < 0.01 else f"{ratio:.2f}",
            self.target,
        )
        return row(columns, self.baseline_is)


def row(columns: Sequence[str], last: str) -> str:
    """Format one line of the table. `columns` are the aligned columns, and `last` is the text after them."""
    first, *others = (
        f"{text:<{width}}" if at in (0, 4) else f"{text:>{width}}"
        for at, (text, width) in enumerate(zip(columns, WIDTHS, strict=True))
    )
    return "  ".join([first + "".join(others[:-1]), others[-1], last]).rstrip()


HEAD = row(("measure", "ours", "baseline", "ratio", "target"), "baseline is")


def _amount(value: float, unit: str) -> str:
    places = 0 if value >= 1000 or unit in ("requests", "answers", "bytes") else 2
    return f"{value:,.{places}f} {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest measured value for which at least this share of the values is not greater (nearest
    rank). With a `share` of 0.95, this is the 95th percentile."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share), 1) - 1]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return percentile(values, 0.5)


def machine() -> dict[str, object]:
    """Describe the machine and its present load."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
