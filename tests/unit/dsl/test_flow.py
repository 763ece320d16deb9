from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, cast

import pytest
from attrs import frozen

from pgflow.dsl import CompiledFlow, FanoutStep, Flow, Step
from pgflow.errors import (
    DefinitionError,
    DuplicateStepError,
    HandlerSignatureError,
    InvalidSlugError,
    UnknownDependencyError,
)


@frozen
class Request:
    urls: list[str]


websites = Flow("analyze-websites", input=Request, max_attempts=5)


@websites.step("prepare-urls")
def prepare_urls(run: Request) -> list[str]:
    """Prepare the URLs."""
    return run.urls


@websites.step("analyze-site", depends_on=[prepare_urls], fanout=True, timeout=60)
def analyze_site(item: str) -> int:
    return len(item)


@websites.step(depends_on=["analyze-site"], start_delay=2)
def summarize(analyze_site: list[int]) -> int:
    return sum(analyze_site)


def test_a_step_is_called_like_its_function() -> None:
    assert prepare_urls(Request(["a"])) == ["a"]
    assert analyze_site("abc") == 3
    assert repr(inspect.signature(prepare_urls)) == "<Signature (run: 'Request') -> 'list[str]'>"
    assert prepare_urls.__doc__ == "Prepare the URLs."


def test_a_step_knows_its_place() -> None:
    assert isinstance(prepare_urls, Step)
    assert isinstance(analyze_site, FanoutStep)
    assert (summarize.slug, summarize.flow, summarize.deps) == ("summarize", websites, ("analyze-site",))


def test_flows_and_steps_introduce_themselves() -> None:
    assert repr(websites) == "<Flow 'analyze-websites': prepare-urls, analyze-site, summarize>"
    assert repr(Flow("empty")) == "<Flow 'empty': no steps>"
    assert repr(analyze_site) == "<FanoutStep 'analyze-site' of flow 'analyze-websites'>"


def test_steps_are_in_the_order_of_their_definition_and_read_only() -> None:
    assert list(websites.steps) == ["prepare-urls", "analyze-site", "summarize"]
    with pytest.raises(TypeError):
        cast(dict[str, Any], websites.steps)["other"] = summarize


@pytest.mark.parametrize("step", [prepare_urls, analyze_site, summarize])
def test_a_step_pickles_by_its_name(step: Any) -> None:
    assert pickle.loads(pickle.dumps(step)) is step
    assert copy.deepcopy(step) is step


def test_a_step_inside_a_function_does_not_pickle() -> None:
    flow: Flow[Any] = Flow("local")

    @flow.step
    def inner() -> None: ...

    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(inner)


def test_the_definition_is_what_the_engine_takes() -> None:
    assert websites.definition() == {
        "flow_slug": "analyze-websites",
        "max_attempts": 5,
        "base_delay": 1,
        "timeout": 300,
        "steps": [
            step_definition("prepare-urls", "prepare_urls"),
            step_definition("analyze-site", "analyze_site", step_type="fanout", deps=["prepare-urls"], timeout=60),
            step_definition("summarize", "summarize", deps=["analyze-site"], start_delay=2),
        ],
    }


def step_definition(slug: str, handler_name: str, **others: Any) -> dict[str, Any]:
    none = dict.fromkeys(("max_attempts", "base_delay", "timeout", "start_delay"))
    return {"step_slug": slug, "step_type": "single", "deps": [], "handler_name": handler_name, **none, **others}


@pytest.fixture
def flow() -> Flow[Any]:
    return Flow("mine")


def test_a_bare_decorator_names_the_step_like_the_function(flow: Flow[Any]) -> None:
    @flow.step
    def first() -> None: ...

    @flow.step()
    def second() -> None: ...

    assert list(flow.steps) == ["first", "second"]


def test_the_same_function_again_replaces_the_step_in_its_place(flow: Flow[Any]) -> None:
    def define_first(answer: int) -> None:
        @flow.step
        def first() -> int:
            return answer

    define_first(1)

    @flow.step
    def second() -> None: ...

    before = flow.compiled()
    define_first(2)

    assert list(flow.steps) == ["first", "second"]
    assert before.steps["first"].call({"run": None, "deps": {}}, None) == 1
    assert flow.compiled().steps["first"].call({"run": None, "deps": {}}, None) == 2


def test_a_step_defined_again_may_depend_only_on_those_before_it(flow: Flow[Any]) -> None:
    def define_first(*deps: str) -> None:
        @flow.step(depends_on=deps)
        def first() -> None: ...

    define_first()
    flow.step("second", depends_on=["first"])(lambda: None)

    with pytest.raises(UnknownDependencyError, match=r"'second', which is not defined before it"):
        define_first("second")
    with pytest.raises(UnknownDependencyError):
        define_first("first")


def test_another_function_of_the_same_slug_is_refused(flow: Flow[Any]) -> None:
    @flow.step("first")
    def one() -> None: ...

    with pytest.raises(DuplicateStepError, match=r"defined already, by .*one; choose another slug"):

        @flow.step("first")
        def two() -> None: ...


def test_two_lambdas_are_two_functions(flow: Flow[Any]) -> None:
    flow.step("first")(lambda: 1)

    with pytest.raises(DuplicateStepError):
        flow.step("first")(lambda: 2)


@pytest.mark.parametrize("alike", ["Get-pages", "get_pages", "GET_PAGES"])
def test_slugs_that_are_too_alike_are_refused(flow: Flow[Any], alike: str) -> None:
    flow.step("get-pages")(lambda: None)

    with pytest.raises(DuplicateStepError, match=r"too much like step 'get-pages'"):
        flow.step(alike)(lambda: None)


@pytest.mark.parametrize("slug", ["run", "deps", "a b", ""])
def test_illegal_step_slugs_are_refused(flow: Flow[Any], slug: str) -> None:
    with pytest.raises(InvalidSlugError):
        flow.step(slug)(lambda: None)


def test_a_lambda_needs_a_slug(flow: Flow[Any]) -> None:
    with pytest.raises(InvalidSlugError, match="<lambda>"):
        flow.step(lambda: None)


def test_a_slug_that_is_no_string_is_refused(flow: Flow[Any]) -> None:
    with pytest.raises(InvalidSlugError, match="a step slug is a string, got int"):
        flow.step(cast(Any, 5))


def test_illegal_flow_slugs_are_refused() -> None:
    with pytest.raises(InvalidSlugError, match="two dashes"):
        Flow("a--b")


@pytest.mark.parametrize(
    ("depends_on", "error", "message"),
    [
        (["nowhere"], UnknownDependencyError, r"'nowhere', which is not defined before it; before it come: first"),
        ([prepare_urls], UnknownDependencyError, r"only on steps of its own flow"),
        (["first", "first"], DefinitionError, r"names 'first' twice"),
        ("first", DefinitionError, r"depends_on is a list"),
        (prepare_urls, DefinitionError, r"depends_on is a list"),
        ([len], DefinitionError, r"takes steps or slugs, got <built-in function len>; decorate it"),
        (None, DefinitionError, r"depends_on is a list"),
    ],
)
def test_wrong_dependencies_are_refused(flow: Flow[Any], depends_on: Any, error: type[Exception], message: str) -> None:
    flow.step("first")(lambda: None)

    with pytest.raises(error, match=message):
        flow.step("second", depends_on=depends_on)(lambda: None)


def test_a_fanout_has_exactly_one_dependency(flow: Flow[Any]) -> None:
    flow.step("one")(lambda: [1])
    flow.step("two")(lambda: [1])

    with pytest.raises(DefinitionError, match="Fanout steps cannot be root steps"):
        flow.step("three", depends_on=cast(list[str], []), fanout=True)(lambda item: None)
    with pytest.raises(DefinitionError, match="Fanout steps must have exactly one dependency, got one, two"):
        flow.step("three", depends_on=["one", "two"], fanout=True)(lambda item: None)


@pytest.mark.parametrize(
    "option",
    [
        {"max_attempts": 0},
        {"max_attempts": True},
        {"max_attempts": 2.0},
        {"max_attempts": 2**31},
        {"base_delay": -1},
        {"base_delay": 0.5},
        {"timeout": 0},
        {"timeout": "60"},
    ],
)
def test_options_are_whole_numbers(flow: Flow[Any], option: Any) -> None:
    (name,) = option

    with pytest.raises(DefinitionError, match=rf"flow 'other': {name} is a whole number"):
        Flow("other", **option)
    with pytest.raises(DefinitionError, match=rf"step 'first' of flow 'mine': {name} is a whole number"):
        cast(Any, flow).step("first", **option)(lambda: None)


def test_a_flow_cannot_leave_its_options_open() -> None:
    with pytest.raises(DefinitionError, match="timeout is a whole number of seconds, at least 1; got None"):
        Flow("other", timeout=cast(Any, None))


def test_a_refused_step_is_not_added(flow: Flow[Any]) -> None:
    with pytest.raises(HandlerSignatureError):
        flow.step("first")(lambda unknown: None)

    assert not flow.steps


def test_the_compiled_flow_is_kept_until_a_step_is_added(flow: Flow[Any]) -> None:
    flow.step("first")(lambda: None)
    before: CompiledFlow = flow.compiled()

    assert flow.compiled() is before
    flow.step("second")(lambda: None)
    assert list(flow.compiled().steps) == ["first", "second"]
