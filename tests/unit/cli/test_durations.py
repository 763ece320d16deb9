"""Seconds and durations on a command line."""

from __future__ import annotations

import click
import pytest

from pgflow.cli import main


def options_of_seconds() -> list[object]:
    context = click.Context(main)
    return [
        pytest.param(parameter, id=f"{name} {parameter.opts[0]}")
        for name in main.list_commands(context)
        if (command := main.get_command(context, name)) is not None
        for parameter in command.params
        if isinstance(parameter.type, click.FloatRange)
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "1e300", "-1"])
@pytest.mark.parametrize("option", options_of_seconds())
def test_seconds_that_nobody_can_wait_are_refused(option: click.Option, text: str) -> None:
    with pytest.raises(click.BadParameter):
        option.type.convert(text, option, None)


@pytest.mark.parametrize("option", options_of_seconds())
def test_half_a_second_is_a_time(option: click.Option) -> None:
    assert option.type.convert("0.5", option, None) == 0.5
