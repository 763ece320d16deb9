"""A journal is read as far as it was written."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.crafted import LAST, A
from tests.chaos.history import Attempt
from tests.chaos.journal import Journal, Notes

KEY = [str(LAST.run_id), LAST.step_slug, LAST.task_index, 1]


def test_a_call_has_an_answer_an_error_or_neither(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.note("worker", id=str(A))
    assert not Notes.read(path).ready
    journal.note("ready")
    for number, kind in enumerate(["complete", "fail", "release"]):
        journal.note("asked", number=number, call=kind, keys=[KEY])
    journal.note("answered", number=0, ignored=[])
    journal.note("unanswered", number=1)
    notes = Notes.read(path)

    assert (notes.worker, notes.ready) == (A, True)
    complete, fail, release = sorted(notes.calls, key=lambda each: each.began)
    assert complete.accepted == (Attempt(LAST, 1),)
    assert (fail.answered, fail.ended is None, fail.accepted) == (False, False, ())
    assert (release.answered, release.ended is None, release.accepted) == (False, True, ())


def test_what_was_ignored_was_not_accepted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.note("worker", id=str(A))
    journal.note("asked", number=0, call="complete", keys=[KEY])
    journal.note("answered", number=0, ignored=[KEY])

    (call,) = Notes.read(path).calls
    assert (call.accepted, call.ignored) == ((), frozenset([Attempt(LAST, 1)]))


def test_a_line_that_a_kill_has_cut_off_was_not_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).note("worker", id=str(A))
    with path.open("a") as file:
        file.write('{"line": "rea')

    assert Notes.read(path) == Notes(worker=A)


def test_a_worker_that_was_killed_at_once_has_no_journal(tmp_path: Path) -> None:
    assert Notes.read(tmp_path / "none") == Notes()
