"""What speaks against a test: its client's violations, and what never happened."""

from __future__ import annotations

from ...errors import ConfigurationError
from ...verification import rules
from ...verification.judge import contact, judge
from ...verification.reading import Reading
from ...verification.rules import Verdict, Violation
from .reach import Reach


class Judging(Reach):
    """The part of a space's handle that judges."""

    @property
    def violations(self) -> list[Violation]:
        """What the client did wrong so far, allowed or not, in the order of the first time."""
        return self._call(lambda: Reading.of(self._hosted.space).violations())

    def verdict(self, *, at_end: bool = False) -> Verdict:
        """Everything that speaks against the test and was not allowed.

        Args:
            at_end: nothing is to come any more: whoever has not left never will, and what was not heard never is.
        """
        hosted = self._hosted
        return self._call(
            lambda: judge(
                hosted.space,
                allowed=hosted.terms.allowed,
                expected_nothing=hosted.terms.expects_nothing,
                at_end=at_end,
            )
        )

    def allow(self, *ids: str) -> None:
        """Let the client break these rules, besides those allowed before; `*` for all of them.

        A defect of uhlive-mock itself cannot be allowed. `uhlive-mock explain` lists the ids.

        Raises:
            ConfigurationError: there is no such rule.
        """
        if not all(isinstance(name, str) for name in ids):
            raise ConfigurationError(f"allow takes the ids of rules, one after the other; found {ids!r}")
        found = rules.known(ids)
        terms = self._hosted.terms

        def add() -> None:
            terms.allowed |= found

        self._call(add)

    def expect_nothing(self) -> None:
        """Declare that the client leaves the service alone: no token, no socket, no message, from now on either.

        Raises:
            AssertionError: it did not so far.
        """
        hosted = self._hosted

        def declare() -> str | None:
            hosted.terms.expects_nothing = True
            reading = Reading.of(hosted.space)
            return contact(reading.first_contact, reading.contacts) if reading.first_contact else None

        if found := self._call(declare):
            raise AssertionError(found)

    @property
    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, that was never given a chance."""
        return self._call(self._hosted.space.unheard)
