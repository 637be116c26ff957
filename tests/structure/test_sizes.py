"""Files and functions stay small: a stop for each, and the median told where it grows."""

import ast
import statistics
import warnings

import pytest

from tests.harness.source import ALL_CODE, PRODUCT, Function, Source, nothing, sources

pytestmark = pytest.mark.tree

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 5
MEDIAN_LINES = 80
ROUTE_DECORATORS = {"get", "post", "put", "patch", "delete"}


def test_no_file_is_longer_than_the_stop() -> None:
    nothing(f"{source.place}: {source.lines} lines" for source in sources(*ALL_CODE) if source.lines > FILE_LINES)


def test_no_function_is_longer_than_the_stop() -> None:
    nothing(
        f"{source.place}:{function.lineno} {function.name}: {length(function)} lines"
        for source in sources(*ALL_CODE)
        for function in source.functions()
        if length(function) > FUNCTION_LINES
    )


def test_no_function_takes_more_parameters_than_the_stop() -> None:
    """A route handler names each dependency it uses: the framework fills those in, no person does."""
    nothing(
        f"{source.place}:{function.lineno} {function.name}: {len(parameters(function))} parameters"
        for source in sources(*PRODUCT)
        for function in source.functions()
        if len(parameters(function)) > PARAMETERS and not is_filled_in(function)
    )


def test_the_median_file_is_told() -> None:
    median = statistics.median(source.lines for source in product_files())
    if median > MEDIAN_LINES:
        warnings.warn(f"the median file has {median:.0f} lines; the aim is {MEDIAN_LINES}", stacklevel=1)
    assert median <= FILE_LINES / 2


def product_files() -> list[Source]:
    return [source for source in sources(*PRODUCT) if source.lines > 1]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> list[str]:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument.arg for argument in given if argument.arg not in ("self", "cls")]


def is_filled_in(function: Function) -> bool:
    """A route handler: Litestar gives it what its types ask for."""
    names = [decorator.func for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
    return any(isinstance(name, ast.Name) and name.id in ROUTE_DECORATORS for name in names)
