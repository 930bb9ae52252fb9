"""Shares of people who did something: how sure they are, whether two differ, and whether people were divided as planned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """``hits`` of ``n``, with the limits of the Wilson score interval (Wilson, 1927).

    It is right for few people and for shares near 0, where the interval from the standard error is not.
    """

    hits: int
    n: int
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"A share needs 0 <= hits <= n, but there are {self.hits} of {self.n}.")

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """From 0 to 1 where nobody was asked."""
        if self.n == 0:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + self.confidence) / 2)
        share, scale = self.hits / self.n, 1 + z * z / self.n
        centre = (share + z * z / (2 * self.n)) / scale
        half = z / scale * math.sqrt(share * (1 - share) / self.n + z * z / (4 * self.n * self.n))
        low, high = max(0.0, centre - half), min(1.0, centre + half)
        return (0.0 if self.hits == 0 else low), (1.0 if self.hits == self.n else high)


@dataclass(frozen=True)
class Difference:
    """One share minus another of other people, with Newcombe's limits (1998, method 10: from the two Wilson intervals)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, first: Proportion, second: Proportion) -> Difference | None:
        """``first`` minus ``second``; None where either has nobody."""
        if first.value is None or second.value is None:
            return None
        (low, high), (other_low, other_high) = first.interval, second.interval
        value = first.value - second.value
        below = math.hypot(first.value - low, other_high - second.value)
        above = math.hypot(high - first.value, second.value - other_low)
        return cls(value, value - below, value + above)

    @property
    def separable(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def sample_ratio_p_value(first: int, second: int, *, share: float) -> float:
    """How likely a division at least as uneven is by chance, where each person is in the first group with probability ``share``.

    Pearson's chi-square test with one degree of freedom; 1 where there is nobody.
    """
    n = first + second
    if n == 0:
        return 1.0
    statistic = (first - n * share) ** 2 / (n * share * (1 - share))
    return math.erfc(math.sqrt(statistic / 2))
