"""A figure: what was measured, and the baseline of the same run that makes it mean something."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """Milliseconds of ours and of the baseline."""

    measure: str
    ours_ms: float
    baseline_ms: float
    baseline: str

    @property
    def ratio(self) -> float:
        """How many times the baseline."""
        return self.ours_ms / self.baseline_ms if self.baseline_ms else float("nan")

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {**asdict(self), "ratio": round(self.ratio, 3)}

    def as_line(self) -> str:
        """For people."""
        ours, baseline = f"{self.ours_ms:.2f} ms", f"{self.baseline_ms:.2f} ms"
        return f"{self.measure:<44}{ours:>12}{baseline:>12}{self.ratio:>8.2f}  {self.baseline}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of all lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
