"""The commands of ``pgflow`` as commands of ``manage.py``: their options are written down once, for click."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import click
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

__all__ = ["PgflowCommand"]


class PgflowCommand(BaseCommand):
    """A command with the options of one of ``pgflow``'s, except those of the database, which the settings are for."""

    command: ClassVar[click.Command]

    def add_arguments(self, parser: CommandParser) -> None:
        """Take over the options."""
        for parameter in self.command.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("dsn", "listen_dsn"):
                _add_option(parser, parameter)

    def options_of(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return what was given for the options of the command, by their names in it."""
        names = [parameter.name for parameter in self.command.params if isinstance(parameter, click.Option)]
        return {name: given[name] for name in names if name in given}

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; an error of ours or of the database is a message, not a traceback."""
        with _said_in_one_line():
            return super().execute(*args, **options)


def _add_option(parser: CommandParser, option: click.Option) -> None:
    described: dict[str, Any] = {"dest": option.name, "help": option.help}
    if option.is_flag:
        parser.add_argument(*option.opts, action="store_true", **described)
        return
    if option.show_default:
        described["help"] = f"{option.help} Default: {option.default}."
    default = None if option.default is None else option.to_info_dict()["default"]
    parser.add_argument(*option.opts, type=_reader(option), default=default, metavar=option.metavar, **described)


def _reader(option: click.Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return option.type.convert(text, option, None)
        except click.BadParameter as error:
            raise ArgumentTypeError(error.message) from None

    return read


@contextmanager
def _said_in_one_line() -> Iterator[None]:
    from pgflow.cli._failures import one_line

    try:
        yield
    except click.ClickException as error:
        raise CommandError(error.format_message()) from error
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except CommandError:
        raise
    except Exception as error:
        message = one_line(error.__cause__ if _is_of_django(error) and error.__cause__ else error)
        if message is None:
            raise
        raise CommandError(message) from error


def _is_of_django(error: Exception) -> bool:
    """Whether it is one of Django's for an error of the database, whose own it keeps as the cause."""
    return type(error).__module__ == "django.db.utils"
