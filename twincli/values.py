"""What most modules take from ``typing``, without loading it, which takes 3 ms of every start.

``NamedTuple`` is a quicker one, too: a start defines fifty and uses a few, and ``typing`` compiles
every annotation and every ``__new__``, 0.15 ms a class. Here annotations stay text, and
``__new__`` is compiled after a class's first values. To a type checker, all are ``typing``'s.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO, Any, NamedTuple, NoReturn, Protocol, Self, cast
else:
    from _collections import _tuplegetter

    _FEW = 20  # values of a class, before compiling its __new__ is worth the 50 µs

    IO = Any = NoReturn = Self = object  # in annotations, which nobody looks up

    class Protocol:
        """The base of what only says which methods there are."""

    def cast(_type: object, value: Any) -> Any:
        """Return the value as it is."""
        return value

    class _Definition(type):
        """What makes a class out of the fields that stand below ``class X(NamedTuple)``."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            if fields[len(fields) - len(defaults) :] != tuple(defaults):
                raise TypeError(f"{name}: a field without default follows one that has a default")
            for index, field in enumerate(fields):
                namespace[field] = _tuplegetter(index, f"Alias for field number {index}")
            made = type(
                name,
                (_Value,),
                {
                    **namespace,
                    "__slots__": (),
                    "__match_args__": fields,
                    "_fields": fields,
                    "_field_defaults": defaults,
                },
            )
            made.__new__ = _first_new(made)
            return made

    class NamedTuple(metaclass=_Definition):
        """The base to write after a class's name; it is not among the bases of the class."""

    class _Value(tuple):
        """What every named tuple can do."""

        __slots__ = ()
        _fields: tuple[str, ...] = ()

        @classmethod
        def _make(cls, iterable: Iterable[Any]) -> Self:
            made = tuple.__new__(cls, iterable)
            if len(made) != len(cls._fields):
                raise TypeError(f"expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **changed: Any) -> Self:
            made = self._make(map(changed.pop, self._fields, self))
            if changed:
                raise TypeError(f"got unexpected field names: {list(changed)!r}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({fields})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    def _first_new(made: type) -> Any:
        """Return a ``__new__`` for the first values, which puts the usual one in its place."""
        fields, defaults = made._fields, made._field_defaults
        left = _FEW

        def first(cls: type, /, *args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left > 0:
                if len(args) == len(fields) and not kwargs:
                    return tuple.__new__(cls, args)
                more = fields[len(args) :]
                given = {**defaults, **kwargs}
                # Anything wrong is for the usual one to complain about.
                if kwargs.keys() <= set(more) <= given.keys() and len(args) < len(fields):
                    return tuple.__new__(cls, (*args, *map(given.__getitem__, more)))
            new = _usual_new(made)
            made.__new__ = new
            return new(cls, *args, **kwargs)

        return first

    def _usual_new(made: type) -> Any:
        names = ", ".join(made._fields)
        code = f"lambda _cls, {names}: _new(_cls, ({names}{',' * (len(made._fields) == 1)}))"
        new = eval(code, {"_new": tuple.__new__, "__builtins__": {}})  # noqa: S307 - our names
        new.__name__ = "__new__"
        new.__qualname__ = f"{made.__qualname__}.__new__"
        new.__defaults__ = tuple(made._field_defaults.values())
        return new


__all__ = ["IO", "TYPE_CHECKING", "Any", "NamedTuple", "NoReturn", "Protocol", "Self", "cast"]
