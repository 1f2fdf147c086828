"""Tags: how a kernel finds the functions of a world or mind, built in or a user's.

A tag is an empty argument whose Numba type carries (role, name, hash of the user's source).
`@overload` picks the functions by that type, so they are compiled into the fused life loop with
no call per step, the compiled code is found again in other processes, and an edited user file is
another type and therefore recompiles. (A dispatcher passed as an argument, or captured in a
closure, would recompile in every process; an overload chosen by a user's own class gave stale
results after an edit. Both were measured.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import (
    NativeValue,
    models,
    register_model,
    typeof_impl,
    unbox,
)


class KernelType(types.Type):
    """The type of a tag; equal for equal (role, name, digest)."""

    def __init__(self, role: str, name: str, digest: str) -> None:
        self.role = role
        self.kind = name
        self.digest = digest
        super().__init__(name=f"evosim.{role}({name}, {digest})")

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two tags the same."""
        return (self.role, self.kind, self.digest)


class Tag:
    """The Python side of a tag: built by the registry, passed to kernels as an argument."""

    __slots__ = ("numba_type",)

    def __init__(self, role: str, name: str, digest: str = "") -> None:
        self.numba_type = KernelType(role, name, digest)


#: (role, name, digest) -> functions by their name, as the user wrote them.
FUNCTIONS: dict[tuple[str, str, str], dict[str, Callable[..., Any]]] = {}


def functions_of(tag: KernelType) -> dict[str, Callable[..., Any]]:
    """Return the registered functions behind a tag's type."""
    return FUNCTIONS[tag.key]


@typeof_impl.register(Tag)
def _typeof_tag(value: Tag, _context: Any) -> KernelType:
    return value.numba_type


register_model(KernelType)(models.OpaqueModel)


@unbox(KernelType)
def _unbox_tag(_typ: Any, _obj: Any, c: Any) -> NativeValue:
    return NativeValue(c.context.get_dummy_value())
