-- What differs between a definition and the flow of that slug in the database: a sentence for each step that one of
-- them lacks, or that has another type or other dependencies. Empty when the shapes are the same.
-- Called by check_flow. Locks nothing.
create or replace function pgflow._compare_shape(p_definition jsonb) returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with defined as (
    select
      d.step_slug,
      d.step_type,
      array(select e from jsonb_array_elements_text(d.deps) as e order by e collate "C") as deps
    from jsonb_to_recordset(p_definition -> 'steps') as d (step_slug text, step_type text, deps jsonb)
  ),
  stored as (
    select
      s.step_slug,
      s.step_type,
      array(
        select d.dep_slug from pgflow.deps as d
        where d.flow_slug = s.flow_slug and d.step_slug = s.step_slug
        order by d.dep_slug collate "C"
      ) as deps
    from pgflow.steps as s
    where s.flow_slug = p_definition ->> 'flow_slug'
  )
  select coalesce(array_agg(difference order by step_slug, difference), '{}')
  from (
    select
      coalesce(defined.step_slug, stored.step_slug) as step_slug,
      unnest(array[
        case when stored.step_slug is null then format('step %L is new', defined.step_slug) end,
        case when defined.step_slug is null then format('step %L is gone', stored.step_slug) end,
        case when defined.step_type <> stored.step_type then
          format('step %L is %s, it was %s', defined.step_slug, defined.step_type, stored.step_type)
        end,
        case when defined.deps <> stored.deps then
          format('step %L depends on {%s}, it did on {%s}', defined.step_slug,
            array_to_string(defined.deps, ', '), array_to_string(stored.deps, ', '))
        end
      ]) as difference
    from defined full join stored on stored.step_slug = defined.step_slug
  ) as differences
  where difference is not null
$$;
