from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar
from uuid import UUID

import attrs
import cattrs
import pytest
from attrs import define, frozen

from pgflow.dsl import MisfitError, StrictConverter
from pgflow.dsl.codec import Codec, make_codec
from pgflow.errors import DefinitionError, NotJsonError

T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Plain(Enum):
    ON = True
    NOTHING = None


class Bits(Flag):
    A = 1
    B = 2


class Bad(Enum):
    PAIR = (1, 2)


@frozen
class Site:
    url: str
    id: int


@frozen
class Request:
    sites: list[Site]
    note: str | None = None


@define
class Hidden:
    _secret: int
    derived: int = attrs.field(init=False, default=0)


@frozen
class Checked:
    age: int = attrs.field(validator=attrs.validators.ge(0))


@define
class Node:
    name: str
    children: list[Node]


@dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = field(default_factory=list)


@dataclass
class IntBox(Box[int]):
    pass


class Options(TypedDict):
    depth: int
    color: NotRequired[Color]


class Point(NamedTuple):
    x: int
    color: Color


@frozen
class Animal:
    name: str


@frozen
class Horse(Animal):
    speed: float = 1.0


@frozen
class Cat:
    kind: Literal["cat"]
    lives: int = 9


@frozen
class Dog:
    kind: Literal["dog"]
    lives: int = 1


@frozen
class Number:
    value: int


@frozen
class Sum:
    left: Number | Sum
    right: Number | Sum


class ByDay(TypedDict):
    day: date


class ByHour(TypedDict):
    hour: datetime


@frozen
class One:
    a: int = 0


@frozen
class Two:
    a: int = 0


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]


def codec(hint: Any) -> Codec:
    return make_codec(StrictConverter(), hint, "value")


NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
SOME_ID = UUID("488e1319-d575-4094-8744-f341bf80556c")


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (str, "", ""),
        (int, 10**400, 10**400),
        (bool, False, False),
        (float, 2.0, 2.0),
        (None, None, None),
        (datetime, NOON, "2026-01-02T12:00:00.000005+00:00"),
        (date, date(2026, 1, 2), "2026-01-02"),
        (time, time(1, 2), "01:02:00"),
        (timedelta, timedelta(days=1), 86400),
        (timedelta, timedelta(microseconds=1), 1e-06),
        (UUID, SOME_ID, str(SOME_ID)),
        (Decimal, Decimal("1.10"), "1.10"),
        (Color, Color.RED, "red"),
        (Level, Level.LOW, 1),
        (Plain, Plain.ON, True),
        (Plain, Plain.NOTHING, None),
        (Bits, Bits.A | Bits.B, 3),
        (UserId, UserId(5), 5),
        (Annotated[list[int], "many"], [1], [1]),
        (Literal["a", 1], 1, 1),
        (Literal[Color.RED], Color.RED, "red"),
        (list, [1, "a"], [1, "a"]),
        (list[Color], [Color.RED], ["red"]),
        (Sequence[int], [1], [1]),
        (tuple, (1, "a"), [1, "a"]),
        (tuple[int, ...], (1, 2), [1, 2]),
        (tuple[int, str], (1, "a"), [1, "a"]),
        (tuple[()], (), []),
        (set[int], {3, 1, 2}, [1, 2, 3]),
        (frozenset[Color], frozenset({Color.RED}), ["red"]),
        (set[tuple[int, int]], {(2, 1), (1, 2)}, [[1, 2], [2, 1]]),
        (deque[int], deque([1]), [1]),
        (dict, {"a": 1}, {"a": 1}),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (dict[int, str], {-1: "a"}, {"-1": "a"}),
        (dict[UUID, int], {SOME_ID: 1}, {str(SOME_ID): 1}),
        (dict[Color, Site], {Color.RED: Site("a", 1)}, {"red": {"url": "a", "id": 1}}),
        (Request, Request([Site("a", 1)]), {"sites": [{"url": "a", "id": 1}], "note": None}),
        (Hidden, Hidden(1), {"_secret": 1}),
        (Node, Node("a", [Node("b", [])]), {"name": "a", "children": [{"name": "b", "children": []}]}),
        (Box[Site], Box(Site("a", 1)), {"content": {"url": "a", "id": 1}, "more": []}),
        (Box, Box([1]), {"content": [1], "more": []}),
        (IntBox, IntBox(1, [2]), {"content": 1, "more": [2]}),
        (Options, {"depth": 1}, {"depth": 1}),
        (Options, {"depth": 1, "color": Color.RED, "more": 2}, {"depth": 1, "color": "red", "more": 2}),
        (Point, Point(1, Color.RED), [1, "red"]),
        (int | None, None, None),
        (int | str | list[int], [1], [1]),
        (int | str | list[int], "1", "1"),
        (Literal["auto"] | int, "auto", "auto"),
        (Literal["auto"] | str, "other", "other"),
        (Cat | Dog | None, Dog("dog"), {"kind": "dog", "lives": 1}),
        (Animal | Number, Number(1), {"value": 1}),
        (Sum, Sum(Number(1), Sum(Number(2), Number(3))), None),
        (ByDay | ByHour, {"hour": NOON}, {"hour": NOON.isoformat()}),
        (float | None, 1e300, 1e300),
        (dict[str, Any], {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    ],
)
def test_values_come_back_as_they_went(hint: Any, value: Any, stored: Any) -> None:
    dumped: Any = codec(hint).dump(value)
    loaded = codec(hint).load(dumped)

    assert stored is None or dumped == stored
    assert loaded == value
    assert type(loaded) is type(value)


def test_what_jsonb_makes_of_a_large_float_is_read_again() -> None:
    # jsonb writes 1e300 with all its digits.
    loaded = codec(float).load(10**300)

    assert loaded == 1e300
    assert type(codec(float | str).load(10**300)) is float


@pytest.mark.parametrize(
    ("hint", "stored", "message"),
    [
        (int, 2.9, r"\$: expected int, got float"),
        (int, 2.0, r"\$: expected int, got float"),
        (int, "1", r"\$: expected int, got str '1'"),
        (int, True, r"\$: expected int, got bool"),
        (bool, 1, r"\$: expected bool, got int"),
        (float, True, r"\$: expected float, got bool"),
        (float, 2**53 + 1, r"which no float equals"),
        (float, float("nan"), r"nan is no JSON number"),
        (str, None, r"\$: expected str, got None"),
        (None, 0, r"\$: expected None, got int"),
        (datetime, "2026-01-02", r"ISO text with date and time, got '2026-01-02'"),
        (datetime, 5, r"expected datetime as ISO text"),
        (date, "2026-01-02T00:00", r"expected date as ISO text"),
        (UUID, "nonsense", r"expected UUID as text"),
        (Decimal, "NaN", r"no finite Decimal"),
        (Decimal, 1.5, r"expected Decimal as text, got float"),
        (timedelta, "1", r"expected timedelta as seconds"),
        (timedelta, 1e300, r"no timedelta"),
        (Color, "green", r"'green' is no value of Color"),
        (Level, True, r"True is no value of Level"),
        (Level, 1.0, r"1.0 is no value of Level"),
        (Literal[1], True, r"expected one of 1, got True"),
        (list[int], "ab", r"expected list\[int\], got str 'ab'"),
        (list[int], {"a": 1}, r"expected list\[int\], got dict"),
        (set[int], [1, 1], r"occurs twice"),
        (set[Any], [[]], r"cannot be hashed"),
        (tuple[int, str], [1], r"of 2 items, got 1"),
        (tuple[int, str], [1, 2], r"\$\[1\]: expected str, got int"),
        (dict[str, int], {"a": "1"}, r"\$\.a: expected int, got str '1'"),
        (dict[int, int], {"01": 1}, r"expected an int as key, got '01'"),
        (Request, {}, r"\$\.sites: missing"),
        (Request, [], r"expected Request, got list"),
        (
            Request,
            {"sites": [{"url": "", "id": 0}] * 2 + [{"url": 5, "id": 0}]},
            r"\$\.sites\[2\]\.url: expected str, got int$",
        ),
        (Checked, {"age": -1}, r"Checked refused it: .*must be >= 0"),
        (Options, {"color": "red"}, r"\$\.depth: missing"),
        (Options, {"depth": 1, "color": "green"}, r"\$\.color: 'green' is no value"),
        (Point, [1, "green"], r"\$\[1\]: 'green'"),
        (int | str, 1.5, r"expected int \| str, got float"),
        (Cat | Dog, {"kind": "cow"}, r"expected Cat \| Dog, got \{'kind': 'cow'\}"),
        (Cat | Dog, {"kind": "cat", "lives": "9"}, r"\$\.lives: expected int"),
        (Box[int], {"content": "a"}, r"\$\.content: expected int"),
        (Sum, {"left": {"value": 1}, "right": {"value": "1"}}, r"\$\.right\.value: expected int"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_path(hint: Any, stored: Any, message: str) -> None:
    with pytest.raises(MisfitError, match=message):
        codec(hint).load(stored)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int, True, r"expected int, got bool"),
        (int, "1", r"expected int, got str '1'"),
        (float, 10**400, r"no float equals"),
        (float, float("inf"), r"inf is no JSON number"),
        (str, 5, r"expected str, got int"),
        (str, "\0", r"NUL character"),
        (date, NOON, r"expected date, got datetime"),
        (datetime, "2026-01-02", r"expected datetime, got str"),
        (Decimal, Decimal("Infinity"), r"no finite Decimal"),
        (timedelta, timedelta(days=400 * 366, microseconds=1), r"too long"),
        (Color, "red", r"expected Color, got str 'red'"),
        (list[int], "abc", r"expected list\[int\], got str 'abc'"),
        (Sequence[str], "abc", r"expected Sequence\[str\], got str 'abc'"),
        (Iterable[str], {"a": 1}, r"expected Iterable\[str\], got dict"),
        (list[int], {1}, r"expected list\[int\], got set"),
        (set[int], [1], r"expected set\[int\], got list"),
        (Request, {"sites": []}, r"expected Request, got dict"),
        (Request, Request([Site(5, 1)]), r"\$\.sites\[0\]\.url: expected str, got int"),  # type: ignore[arg-type]
        (Animal, Horse("a"), r"expected Animal, got its subclass Horse; annotate with Horse"),
        (Options, {"color": Color.RED}, r"\$\.depth: missing"),
        (Options, {"depth": 1, "more": {1}}, r"\$\.more: a set is not plain JSON"),
        (Any, {"site": Site("a", 1)}, r"\$\.site: Site is not plain JSON; .* annotate"),
        (dict[str, Any], {"a": {1: 2}}, r"\$\.a: a key of a JSON object"),
        (Cat | Dog, Cat("cat", "9"), r"\$\.lives: expected int, got str '9'"),  # type: ignore[arg-type]
        (Cat | Dog, Number(1), r"expected Cat \| Dog, got Number"),
    ],
)
def test_a_value_that_is_not_what_it_is_annotated_is_not_stored(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(NotJsonError, match=message):
        codec(hint).dump(value)


def test_a_class_that_holds_itself_is_refused() -> None:
    node = Node("a", [])
    node.children.append(node)

    with pytest.raises(NotJsonError, match="containing itself"):
        codec(Node).dump(node)


def test_iterables_are_stored_as_lists() -> None:
    assert codec(Iterable[int]).dump(n for n in range(3)) == [0, 1, 2]
    assert codec(AbstractSet[int]).dump({2, 1}) == [1, 2]


def test_keys_that_a_class_does_not_know_stay_out() -> None:
    assert codec(Site).load({"url": "a", "id": 1, "added": "later"}) == Site("a", 1)


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (bytes, r"value, annotated bytes: pgflow cannot convert bytes"),
        (list[bytes], r"cannot convert bytes"),
        (Money, r"cannot convert Money .* register hooks"),
        (T, r"cannot convert ~T"),
        (datetime | str, r"datetime and str look the same as JSON"),
        (Color | str, r"Color and str look the same"),
        (Site | dict[str, int], r"look the same as JSON"),
        (One | Two, r"can be both One and Two; .*Literal"),
        (int | Any, r"cannot be told which JSON"),
        (dict[float, int], r"float is not stored as text"),
        (Bad, r"the value of Bad.PAIR is a tuple"),
        (Box[bytes], r"field 'content' of Box\[bytes\]: pgflow cannot convert bytes"),
    ],
)
def test_an_annotation_that_cannot_work_is_refused(hint: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        codec(hint)


def test_a_class_whose_names_are_out_of_reach_is_refused_with_advice() -> None:
    @frozen
    class Local:
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(DefinitionError, match=r"annotation of Local .*'Nowhere' is not defined.* at module level"):
        codec(Local)


def test_hooks_can_be_registered_for_further_types() -> None:
    converter = StrictConverter()
    converter.register_unstructure_hook(Money, lambda money: money.cents)
    converter.register_structure_hook(Money, lambda cents, _: Money(cents))
    many = make_codec(converter, dict[str, list[Money | None]], "prices")

    assert many.dump({"a": [Money(5), None]}) == {"a": [5, None]}
    assert many.load({"a": [5, None]}) == {"a": [Money(5), None]}


def test_what_a_hook_raises_gets_its_path() -> None:
    def refuse(cents: Any, _: Any) -> Money:
        raise ValueError("no money")

    converter = StrictConverter()
    converter.register_unstructure_hook(Money, lambda money: money.cents)
    converter.register_structure_hook(Money, refuse)

    with pytest.raises(MisfitError, match=r"prices: \$\[0\]: no money") as caught:
        make_codec(converter, list[Money], "prices").load([1])
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_converter_of_the_users_own_is_taken_as_it_is() -> None:
    lenient = make_codec(cattrs.Converter(), Request, "input")

    assert lenient.load({"sites": [{"url": 5, "id": "1"}]}) == Request([Site("5", 1)])
    with pytest.raises(MisfitError, match=r"input: .*sites"):
        lenient.load({"sites": [{"url": 5, "id": "x"}]})


def test_a_misfit_stays_itself_through_pickle() -> None:
    import pickle

    with pytest.raises(MisfitError) as caught:
        codec(Request).load({"sites": [{"url": 5, "id": 1}]})
    copy = pickle.loads(pickle.dumps(caught.value))

    assert str(copy) == str(caught.value) == "value: $.sites[0].url: expected str, got int"
