"""The SQL of the inspection: selects that a monitoring user may run as they are, in psql too.

The newest runs are found by the primary key, for their ids begin with the time. What would grow with the history is
bounded: tasks are read by run, queues hold only what is not finished.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "FLOWS",
    "FLOW_RATES",
    "QUEUE_DEPTHS",
    "RUN",
    "RUNNING_STEPS",
    "RUNS",
    "RUN_STEPS",
    "RUN_TASKS",
    "WORKERS",
]

FLOWS: Final = """\
select f.flow_slug, count(s.step_slug) as steps, f.opt_max_attempts as max_attempts, f.opt_base_delay as base_delay,
       f.opt_timeout as timeout, f.created_at
  from pgflow.flows f
  left join pgflow.steps s using (flow_slug)
 group by f.flow_slug
 order by f.flow_slug"""

# Read backwards by the primary key until there are enough; where few runs fit the filters, that may be all of them.
RUNS: Final = """\
select r.run_id, r.flow_slug, r.status,
       (select count(*) from pgflow.steps s where s.flow_slug = r.flow_slug) as steps, r.remaining_steps,
       r.started_at, coalesce(r.completed_at, r.failed_at) as ended_at,
       extract(epoch from coalesce(r.completed_at, r.failed_at, clock_timestamp()) - r.started_at)::float8 as seconds,
       left(r.error_message, 500) as error_message
  from pgflow.runs r
 where (%(flow_slug)s::text is null or r.flow_slug = %(flow_slug)s::text)
   and (%(statuses)s::text[] is null or r.status = any(%(statuses)s::text[]))
   and (%(younger)s::float8 is null or r.started_at >= clock_timestamp() - make_interval(secs => %(younger)s::float8))
   and (%(older)s::float8 is null or r.started_at < clock_timestamp() - make_interval(secs => %(older)s::float8))
 order by r.run_id desc
 limit %(limit)s::bigint"""

RUN: Final = """\
select r.run_id, r.flow_slug, r.status, r.remaining_steps, r.idempotency_key, r.started_at,
       coalesce(r.completed_at, r.failed_at) as ended_at,
       extract(epoch from coalesce(r.completed_at, r.failed_at, clock_timestamp()) - r.started_at)::float8 as seconds,
       left(r.input::text, %(longest)s::int) as input, left(r.output::text, %(longest)s::int) as output,
       r.error_message
  from pgflow.runs r
 where r.run_id = %(run_id)s"""

# An attempt has failed, or was lost, if it is neither under way nor the one that succeeded. Outputs are not unpacked
# where none of them is wanted.
RUN_STEPS: Final = """\
select s.step_slug as slug, s.step_type = 'fanout' as is_fanout,
       array(
         select d.dep_slug
           from pgflow.deps d
           join pgflow.steps p on p.flow_slug = d.flow_slug and p.step_slug = d.dep_slug
          where d.flow_slug = s.flow_slug and d.step_slug = s.step_slug
          order by p.step_index
       ) as deps,
       ss.status, ss.initial_tasks as tasks, ss.initial_tasks - ss.remaining_tasks as done,
       coalesce(t.running, 0) as running, coalesce(t.retries, 0) as retries, ss.started_at,
       coalesce(ss.completed_at, ss.failed_at) as ended_at,
       extract(epoch from coalesce(ss.completed_at, ss.failed_at,
                                   case ss.status when 'started' then clock_timestamp() end)
                          - ss.started_at)::float8 as seconds,
       case when %(longest)s::int > 0 then left(ss.output::text, %(longest)s::int) end as output, ss.error_message
  from pgflow.step_states ss
  join pgflow.steps s on s.flow_slug = ss.flow_slug and s.step_slug = ss.step_slug
  left join (
    select t.step_slug, count(*) filter (where t.status = 'started') as running,
           sum(case when t.status in ('queued', 'failed') then t.attempts_count
                    else greatest(t.attempts_count - 1, 0) end) as retries
      from pgflow.step_tasks t
     where t.run_id = %(run_id)s
     group by t.step_slug
  ) t on t.step_slug = ss.step_slug
 where ss.run_id = %(run_id)s
 order by s.step_index"""

# Of each step those that somebody may ask about: what failed, then what runs or waits for another attempt.
RUN_TASKS: Final = """\
select t.step_slug, t.task_index, t.status, t.attempts_count as attempts,
       coalesce(s.opt_max_attempts, f.opt_max_attempts) as max_attempts, t.started_at,
       extract(epoch from coalesce(t.completed_at, t.failed_at, case t.status when 'started' then clock_timestamp() end)
                          - t.started_at)::float8 as seconds,
       t.last_worker_id as worker_id, left(t.error_message, 2000) as error_message, t.traceback
  from pgflow.step_states ss
  join pgflow.steps s on s.flow_slug = ss.flow_slug and s.step_slug = ss.step_slug
  join pgflow.flows f on f.flow_slug = ss.flow_slug
 cross join lateral (
    select t.*
      from pgflow.step_tasks t
     where t.run_id = ss.run_id and t.step_slug = ss.step_slug
       and (not %(troubled)s::boolean or t.status = 'failed' or t.attempts_count > 1
            or (t.status = 'queued' and t.attempts_count > 0))
     order by case when t.status = 'failed' then 0
                   when t.status in ('queued', 'started') and t.attempts_count > 1 then 1
                   when t.status = 'started' then 2 when t.error_message is not null then 3
                   when t.attempts_count > 1 then 4 else 5 end,
              t.task_index
     limit %(limit)s::bigint
  ) t
 where ss.run_id = %(run_id)s
 order by s.step_index, t.task_index"""

# pgmq counts a queue by reading it: what is finished is not in it. A queue that is gone would be an error, which hides
# the others.
QUEUE_DEPTHS: Final = """\
select f.flow_slug, m.queue_visible_length as ready, m.queue_length - m.queue_visible_length as waiting,
       m.oldest_msg_age_sec as oldest_seconds, m.total_messages as sent
  from pgflow.flows f
 cross join lateral pgmq.metrics(lower(f.flow_slug)) m
 where to_regclass('pgmq.' || quote_ident('q_' || lower(f.flow_slug))) is not null
 order by f.flow_slug"""

FLOW_RATES: Final = """\
select r.flow_slug,
       count(*) filter (where r.started_at > clock_timestamp() - interval '1 minute') as started,
       count(*) filter (where r.completed_at > clock_timestamp() - interval '1 minute') as completed,
       count(*) filter (where r.failed_at > clock_timestamp() - interval '1 minute') as failed
  from (
    select r.flow_slug, r.started_at, r.completed_at, r.failed_at
      from pgflow.runs r
     order by r.run_id desc
     limit 10000
  ) r
 group by r.flow_slug
 order by r.flow_slug"""

WORKERS: Final = """\
select w.worker_id, w.function_name, w.flow_slugs, w.status, w.started_at, w.last_heartbeat_at, w.stopped_at,
       w.running_tasks, extract(epoch from clock_timestamp() - w.last_heartbeat_at)::float8 as silent_seconds,
       extract(epoch from coalesce(w.stopped_at, case w.status when 'dead' then w.last_heartbeat_at end,
                                   clock_timestamp()) - w.started_at)::float8 as seconds
  from pgflow.get_workers() w"""

# What a worker has is in its flow's queue, past what is ready; what others have put there finds no task. {queue} is the
# queue's table.
RUNNING_STEPS: Final = """\
select t.last_worker_id as worker_id, t.flow_slug, t.step_slug, count(*) as tasks,
       max(extract(epoch from clock_timestamp() - t.started_at))::float8 as seconds
  from (
    select m.msg_id, m.message ->> 'step_slug' as step_slug,
           case when m.message ->> 'run_id' ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                then (m.message ->> 'run_id')::uuid end as run_id,
           case when m.message ->> 'task_index' ~ '^[0-9]{{1,9}}$' then (m.message ->> 'task_index')::integer end
             as task_index
      from {queue} m
     where m.vt > clock_timestamp() and m.read_ct > 0
    offset 0
  ) m
  join pgflow.step_tasks t on t.run_id = m.run_id and t.step_slug = m.step_slug and t.task_index = m.task_index
                          and t.message_id = m.msg_id
 where t.status = 'started' and t.last_worker_id is not null
 group by t.last_worker_id, t.flow_slug, t.step_slug"""
