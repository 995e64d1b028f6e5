"""Type variables and the aliases of `type` statements, made again in another interpreter."""

from __future__ import annotations

from _weakref import ref

from boc._load import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boc._load import Token

_variables: dict[Token, ref[Any]] = {}


def set_token(obj: Any, token: Token) -> None:
    """Give a type variable the token that names it in every interpreter."""
    tokens.set(obj, token)
    _variables[token] = ref(obj, lambda _: _variables.pop(token, None))


def type_variable(kind: str, name: str, options: dict[str, bool], token: Token) -> Any:
    """Make a TypeVar, ParamSpec or TypeVarTuple once; bounds stay behind, they mean nothing at run time."""
    known = _variables.get(token)
    found = known() if known is not None else None
    if found is None:
        import typing

        found = getattr(typing, kind)(name, **options)
        set_token(found, token)
    return found


def alias(name: str, module: str, parameters: list[tuple[str, str, Token]], box: list[Any]) -> Any:
    """Make the alias of a `type` statement. It may refer to itself: its value is put into the box later."""
    stars = {"TypeVarTuple": "*", "ParamSpec": "**"}
    texts = [f"{stars.get(kind, '')}{parameter}" for kind, parameter, _ in parameters]
    space: dict[str, Any] = {" box": box, "__name__": module}
    # No other way leads to one that is evaluated when somebody asks.
    exec(f"type {name}{f'[{", ".join(texts)}]' if texts else ''} = globals()[' box'][0]", space)
    made = space[name]
    for variable, (_, _, token) in zip(made.__type_params__, parameters, strict=True):
        if token not in _variables:
            set_token(variable, token)
    return made


def set_alias(made: Any, state: tuple[list[Any], Any]) -> None:
    """Give an alias its value."""
    box, value = state
    box.append(value)
