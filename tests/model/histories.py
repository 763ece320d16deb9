"""Has hypothesis make up histories until enough has been done in them."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import EngineMachine, Stage

STEPS = 50
MOST_HISTORIES = 10


def play(stage: Stage, enough: int, *, simplify: bool = False) -> int:
    """Do so many actions or more, and return how many; a disagreement is an error.

    :param simplify: look for a shorter history that ends in a disagreement, which takes minutes
    """
    done = 0

    class Counted(EngineMachine):
        def __init__(self) -> None:
            super().__init__(stage)

        def teardown(self) -> None:
            nonlocal done
            done += self.both.actions
            super().teardown()

    phases = (Phase.generate, Phase.shrink) if simplify else (Phase.generate,)
    while done < enough:
        run_state_machine_as_test(
            Counted,
            settings=settings(
                # The first of them is the simplest there is, which shows little.
                max_examples=min(MOST_HISTORIES, 1 + enough // STEPS),
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return done
