"""A station's account: what became of its triggers, and that nothing is missing."""

from collections.abc import Mapping

from daemon.messages import Counts, Kind


class Account:
    """Counts settled parts until they are published, and published verdicts by kind."""

    def __init__(self, last: int, carried: Counts) -> None:
        """Go on after number ``last``; ``carried``: the account of this process's jobs before."""
        self._base = last
        self._before = carried.triggers
        self._kinds = {
            Kind.PASS: carried.passed,
            Kind.FAIL: carried.failed,
            Kind.NO_VERDICT: carried.no_verdict,
        }
        self._bypassed = carried.bypassed
        self._waiting = 0  # settled, and not yet published
        self.newest = last  # number of the newest verdict that was published

    @property
    def waiting(self) -> int:
        """How many settled parts are not published yet."""
        return self._waiting

    def settled(self) -> None:
        """Count a part whose verdict is to come."""
        self._waiting += 1

    def published(self, number: int, kind: Kind, bypassed: bool) -> list[int]:
        """Count a verdict that has left; give those before it that did not, which is a fault."""
        self._kinds[kind] += 1
        self._bypassed += bypassed
        self._waiting -= 1
        missing = list(range(self.newest + 1, number))
        self.newest = number
        return missing

    def counts(self, last: int, unsettled: int) -> Counts:
        """Give the account with the newest part's number, and how many are not settled."""
        return Counts(
            triggers=self._before + last - self._base,
            passed=self._kinds[Kind.PASS],
            failed=self._kinds[Kind.FAIL],
            no_verdict=self._kinds[Kind.NO_VERDICT],
            open=unsettled + self._waiting,
            bypassed=self._bypassed,
        )


def unbalanced(counts: Mapping[str, Counts]) -> dict[str, str]:
    """Say for each station whose account does not add up how it does not."""
    return {
        name: f"{c.triggers} triggers, but {c.passed} PASS + {c.failed} FAIL +"
        f" {c.no_verdict} NO_VERDICT + {c.open} open"
        for name, c in counts.items()
        if c.triggers != c.passed + c.failed + c.no_verdict + c.open
    }
