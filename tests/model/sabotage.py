"""Ways to break the engine, each of which a random history has to find."""

from __future__ import annotations

from attrs import field, frozen

from tests.plugins.engine import Engine


@frozen
class Sabotage:
    """What a function of the engine says, and what it is made to say instead."""

    name: str
    function: str
    changes: dict[str, str] = field(hash=False)

    def commit(self, engine: Engine) -> None:
        """Replace the function in this database."""
        text: str = engine.value(
            "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'pgflow'::regnamespace and proname = %s",
            self.function,
        )
        for says, instead in self.changes.items():
            if says not in text:
                raise LookupError(f"{self.function} does not say {says!r} any more")
            text = text.replace(says, instead)
        engine.connection.execute(text.encode())


SABOTAGES = [
    Sabotage(
        "a completion is taken whatever its token",
        "_complete_one",
        {"and (p_token is null or t.token = p_token)": ""},
    ),
    Sabotage(
        "an empty fan-out completes nothing below it",
        "_complete_step",
        {"v_completed := v_completed || v_ready_fanouts": "null"},
    ),
    Sabotage(
        "of several dependencies in a batch one is counted",
        "_complete_steps",
        {"count(*)::integer as completed_deps": "1 as completed_deps"},
    ),
    Sabotage(
        "a completion in a batch is taken whatever its token",
        "_complete_many",
        {"and (e.token is null or t.token = e.token)": "", "and (j.token is null or t.token = j.token)": ""},
    ),
    Sabotage(
        "a failure is taken whatever its token",
        "_fail_one",
        {"and (p_token is null or t.token = p_token)": ""},
    ),
    Sabotage(
        "a result is taken after the run has failed",
        "_complete_one",
        {"and r.status = 'started'": "", "and t.status = 'started'": "and t.status in ('started', 'cancelled')"},
    ),
    Sabotage(
        "a dependency is not counted down",
        "_complete_step",
        {"remaining_deps = s.remaining_deps - 1,": "remaining_deps = s.remaining_deps - l.starts::integer,"},
    ),
    Sabotage(
        "the message of a completed task stays",
        "_complete_one",
        {"perform pgflow._delete_messages(v_flow_slug, array[v_message_id])": "null"},
    ),
    Sabotage(
        "the messages of a failed run stay",
        "_fail_run",
        {"perform pgflow._delete_messages(v_flow_slug, v_messages)": "null"},
    ),
    Sabotage(
        "a task is retried once too often",
        "_fail_one",
        {"v_task.attempts_count >= v_max_attempts": "v_task.attempts_count > v_max_attempts"},
    ),
    Sabotage(
        "a task handed back has used up an attempt",
        "release_tasks",
        {"t.attempts_count - 1": "t.attempts_count"},
    ),
    Sabotage(
        "a retry comes too soon",
        "_fail_one",
        {"v_task.attempts_count)) *": "v_task.attempts_count - 1)) *"},
    ),
    Sabotage(
        "a hidden message is claimed",
        "_claim",
        {"vt <= $1 order": "vt <= $1 + interval ''3 hours'' order"},
    ),
    Sabotage(
        "a lease is extended beyond the timeout",
        "extend_leases",
        {"t.started_at + make_interval(secs => o.timeout + 5.0)": "'infinity'"},
    ),
    Sabotage(
        "whoever read a message before cuts the delay of a retry",
        "_settle_claimed",
        {"elsif v_task.token >= v_read_ct": "elsif v_task.status = 'started' and v_task.token >= v_read_ct"},
    ),
    Sabotage(
        "the outputs of a fan-out are in another order",
        "_complete_fanout",
        {"order by t.task_index": "order by -t.task_index"},
    ),
    Sabotage("a wrong shape goes through in a batch", "_complete_many", {"and not j.is_misshapen": ""}),
    Sabotage("an event is not sent", "_complete_step", {"v_completed || v_singles\n": "v_completed\n"}),
    Sabotage("an event is sent with another status", "_broadcast_run", {"'run:' || v_run.status": "'run:completed'"}),
    Sabotage(
        "a run fails before its step does",
        "_fail_run",
        {
            "  if p_step_slug is not null then": "  perform pgflow._broadcast_run(array[p_run_id]);\n"
            "  if p_step_slug is not null then",
            "  perform pgflow._broadcast_run(array[p_run_id]);\nend": "end",
        },
    ),
    Sabotage("a watched run stays silent", "watch_runs", {"set watched = true": "set watched = r.watched"}),
    Sabotage("nobody is woken", "_wake_workers", {"w.sleeping_until > clock_timestamp()": "false"}),
    Sabotage("a run id may be used for another input", "_existing_run", {"or v_run.input <> p_input": ""}),
    Sabotage("a flow takes another shape", "ensure_flow", {"perform pgflow.check_flow(p_definition)": "null"}),
    Sabotage(
        "a task that kills its workers is taken once too often",
        "_start_tasks",
        {"t.attempts_count < (": "t.attempts_count <= ("},
    ),
    Sabotage(
        "the items of a fan-out are in another order",
        "spawn_fanout_tasks",
        {"(e.n - 1)::integer": "(jsonb_array_length($4) - e.n)::integer"},
    ),
    Sabotage("a silent run is heard", "_broadcast_steps", {"_is_foreign or r.watched)": "_is_foreign or true)"}),
]
