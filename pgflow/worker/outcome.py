"""How a worker ended."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Outcome"]


@frozen
class Outcome:
    """What a worker leaves behind."""

    #: Tasks that still ran when the grace period ended: handed back with their attempts not counted or, where the
    #: database did not answer, left to the end of their leases.
    handed_back: int = 0
    #: Results that the database did not take; their tasks run again when the leases end.
    unreported: int = 0
    #: The signal that cut an orderly stop short, if one did.
    killed_by: int | None = None

    @property
    def exit_status(self) -> int:
        """The exit status of a process that ends so.

        0: everything that was begun is finished. 3: some of it is left to others. 128 and the signal's number: a
        second signal came before the stop was done.
        """
        if self.killed_by is not None:
            return 128 + self.killed_by
        return 3 if self.handed_back or self.unreported else 0
