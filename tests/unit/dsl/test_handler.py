from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest
from attrs import frozen

from pgflow.dsl import Flow
from pgflow.errors import HandlerSignatureError
from pgflow.models import Json

if TYPE_CHECKING:
    from pgflow.worker import Nowhere  # type: ignore[attr-defined]

P = ParamSpec("P")
R = TypeVar("R")


@frozen
class Request:
    url: str


def call(flow: Flow[Any], slug: str, task_input: Mapping[str, Json], ctx: object = None) -> Json:
    return flow.compiled().steps[slug].call(task_input, ctx)


@pytest.fixture
def flow() -> Flow[Any]:
    flow: Flow[Any] = Flow("handlers")

    @flow.step("get-pages")
    def get_pages() -> list[int]:
        return [1, 2]

    return flow


def test_a_handler_asks_for_what_it_needs_by_name(flow: Flow[Any]) -> None:
    @flow.step(depends_on=["get-pages"])
    def count(ctx: str, get_pages: list[int], run: Request, deps: dict[str, list[int]]) -> list[Any]:
        return [ctx, get_pages, run.url, deps["get-pages"]]

    result = call(flow, "count", {"run": {"url": "a"}, "deps": {"get-pages": [1]}}, "the context")

    assert result == ["the context", [1], "a", [1]]


def test_a_handler_may_ask_for_nothing(flow: Flow[Any]) -> None:
    assert call(flow, "get-pages", {"run": None, "deps": {}}) == [1, 2]


def test_without_annotations_values_are_plain_json(flow: Flow[Any]) -> None:
    @flow.step(depends_on=["get-pages"])
    def echo(run, get_pages, deps):  # type: ignore[no-untyped-def]
        return [run, get_pages, deps]

    task_input: dict[str, Any] = {"run": {"url": "a"}, "deps": {"get-pages": [1]}}

    assert call(flow, "echo", task_input) == [{"url": "a"}, [1], {"get-pages": [1]}]


def test_parameters_with_defaults_that_match_nothing_are_left_alone(flow: Flow[Any]) -> None:
    @flow.step
    def tune(speed: int = 3, /, run: Any = "unused", *, depth: Nowhere = 4) -> list[Any]:
        return [speed, run, depth]

    assert call(flow, "tune", {"run": "input", "deps": {}}) == [3, "input", 4]


def test_positional_only_parameters_are_filled(flow: Flow[Any]) -> None:
    @flow.step
    def first(run: int, /) -> int:
        return run + 1

    assert call(flow, "first", {"run": 1, "deps": {}}) == 2


def test_a_fanout_gets_its_item_first(flow: Flow[Any]) -> None:
    @flow.step("visit", depends_on=["get-pages"], fanout=True)
    def visit(page: int, ctx: str, retries: int = 2) -> list[Any]:
        return [page, ctx, retries]

    assert call(flow, "visit", {"item": 7}, "the context") == [7, "the context", 2]


def test_a_decorated_function_keeps_its_parameters(flow: Flow[Any]) -> None:
    def logged(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(*args, **kwargs)

        return wrapper

    @flow.step
    @logged
    def shout(run: Request) -> str:
        return run.url.upper()

    assert call(flow, "shout", {"run": {"url": "a"}, "deps": {}}) == "A"


def test_only_the_annotations_that_are_needed_are_resolved(flow: Flow[Any]) -> None:
    @flow.step
    def lazy(ctx: Nowhere) -> int:
        return 1

    assert call(flow, "lazy", {"run": None, "deps": {}}) == 1


def test_the_json_alias_means_any_json(flow: Flow[Any]) -> None:
    @flow.step
    def echo(run: Json) -> list[Json]:
        return [run]

    assert call(flow, "echo", {"run": {"a": [None]}, "deps": {}}) == [{"a": [None]}]


def test_whether_a_step_wants_the_context_is_known(flow: Flow[Any]) -> None:
    @flow.step
    def wanting(ctx: Any) -> None: ...

    steps = flow.compiled().steps

    assert steps["wanting"].wants_ctx
    assert not steps["get-pages"].wants_ctx


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (lambda nothing: 1, r"nothing can fill the parameter 'nothing'\. There are 'run', 'deps', 'ctx', 'get_pages'"),
        (lambda item: 1, r"'item'; only a fan-out has items"),
        (lambda *args: 1, r"nothing can fill \*args"),
        (lambda **kwargs: 1, r"nothing can fill \*\*kwargs; .*functools\.wraps"),
    ],
)
def test_a_parameter_that_nothing_can_fill_is_refused(flow: Flow[Any], define: Any, message: str) -> None:
    with pytest.raises(HandlerSignatureError, match=message):
        flow.step("wrong", depends_on=["get-pages"])(define)


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (lambda: 1, r"takes its item as the first parameter"),
        (lambda *items: 1, r"takes its item as the first parameter"),
        (lambda ctx, item: 1, r"takes its item as the first parameter"),
        (lambda item, run: 1, r"read ctx\.run_input"),
        (lambda item, deps: 1, r"nothing can fill the parameter 'deps'"),
        (lambda item, get_pages: 1, r"nothing can fill the parameter 'get_pages'"),
    ],
)
def test_a_fanout_has_nothing_but_item_and_context(flow: Flow[Any], define: Any, message: str) -> None:
    with pytest.raises(HandlerSignatureError, match=message):
        flow.step("wrong", depends_on=["get-pages"], fanout=True)(define)


async def asynchronous() -> None: ...


async def asynchronous_generator() -> Any:
    yield 1


def generator() -> Generator[int, None, None]:
    yield 1


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (asynchronous, r"is `async def`.* plain `def`"),
        (asynchronous_generator, r"is `async def`"),
        (generator, r"is a generator; return a list"),
        (functools.partial(len, []), r"a plain function, got partial"),
        (len, r"a plain function, got builtin"),
        (Request, r"a plain function, got type"),
    ],
)
def test_only_plain_functions_are_handlers(flow: Flow[Any], handler: Any, message: str) -> None:
    with pytest.raises(HandlerSignatureError, match=message):
        flow.step("wrong")(handler)


def test_an_annotation_out_of_reach_is_refused_when_compiled(flow: Flow[Any]) -> None:
    @frozen
    class Local:
        url: str

    @flow.step
    def use(run: Local) -> None: ...

    with pytest.raises(
        HandlerSignatureError,
        match=r"step 'use' of flow 'handlers': the annotation of parameter 'run'.*'Local' is not defined.*module level",
    ):
        flow.compiled()


def test_a_return_annotation_out_of_reach_is_refused_when_compiled(flow: Flow[Any]) -> None:
    @flow.step
    def use() -> Nowhere: ...

    with pytest.raises(HandlerSignatureError, match=r"the return annotation.*'Nowhere' is not defined"):
        flow.compiled()


def test_a_class_may_be_defined_below_the_handler(flow: Flow[Any]) -> None:
    @flow.step
    def use(run: Below) -> Below:
        return run

    assert call(flow, "use", {"run": {"url": "a"}, "deps": {}}) == {"url": "a"}


@frozen
class Below:
    url: str


def test_a_parameter_that_cannot_be_converted_is_refused_when_compiled(flow: Flow[Any]) -> None:
    @flow.step
    def use(run: bytes) -> None: ...

    with pytest.raises(
        HandlerSignatureError, match=r"parameter 'run' of step 'use' .* annotated bytes: .*cannot convert"
    ):
        flow.compiled()
