"""The smallest useful policy in Python: what has most dependents goes first."""

from wit_world import exports
from wit_world.exports.prioritizer import Candidate, Snapshot


class Prioritizer(exports.Prioritizer):
    def score(self, batch: list[Candidate], now: Snapshot) -> list[float]:
        return [float(candidate.dependents) for candidate in batch]
