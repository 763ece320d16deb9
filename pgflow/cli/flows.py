"""``pgflow flows``: what flows there are, and what one looks like."""

from __future__ import annotations

import attrs
import click

from pgflow.cli import dsn_option
from pgflow.graph import FlowGraph

__all__ = ["flows"]


@click.group(invoke_without_command=True)
@dsn_option
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def flows(ctx: click.Context, dsn: str | None, is_json: bool) -> None:
    """List the flows that the database knows; `show` draws one."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = dsn
        return
    from pgflow import inspection
    from pgflow.cli._json import as_json
    from pgflow.cli._reading import reading

    with reading(dsn) as connection:
        found = inspection.flows(connection)
    if is_json:
        for flow in found:
            click.echo(as_json(attrs.asdict(flow)))
        return

    from pgflow.cli._listing import print_flows

    print_flows(found)


@flows.command()
@click.argument("flow")
@dsn_option
@click.option("--mermaid", "is_mermaid", is_flag=True, help="In the language of Mermaid.")
@click.option("--svg", "is_svg", is_flag=True, help="As an SVG picture.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a step and line.")
@click.pass_obj
def show(above: str | None, flow: str, dsn: str | None, is_mermaid: bool, is_svg: bool, is_json: bool) -> None:
    """Draw a flow: a line a step, and beside it what leads to it.

    FLOW is the slug of one that the database knows, or one in Python, which needs no database: MODULE:FLOW, or the
    path of a .py file that has no other.
    """
    graph = _graph_of(flow, dsn or above)
    if is_json:
        from pgflow.cli._json import as_json

        for step in graph.steps:
            click.echo(as_json({"slug": step.slug, "deps": step.deps, "is_fanout": step.is_fanout}))
    elif is_mermaid or is_svg:
        from pgflow.cli._pictures import echo_picture

        echo_picture(graph, is_svg=is_svg)
    else:
        from pgflow.graph.console import open_console

        console = open_console()
        from pgflow.graph.terminal import picture

        console.print(picture(graph))


def _graph_of(flow: str, dsn: str | None) -> FlowGraph:
    from pgflow.cli._loading import file_of, load_flows

    if ":" in flow or file_of(flow) is not None:
        first, *others = load_flows([flow])
        if others:
            slugs = ", ".join(each.slug for each in (first, *others))
            raise click.ClickException(f"{flow} has {slugs}: name one of them, as in {flow}:{first.slug}")
        return first.graph()
    from pgflow import inspection
    from pgflow.cli._reading import reading

    with reading(dsn) as connection:
        return FlowGraph.of_shapes(flow, inspection.flow_shape(connection, flow))
