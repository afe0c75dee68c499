"""How much one question may ask for: strangers write it, and every field of it is work."""

from __future__ import annotations

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
)
from graphql.language import SelectionSetNode

MOST_TOKENS = 2000  # of the text
MOST_FIELDS = 400
DEEPEST = 8
DEEPEST_INTROSPECTION = 20  # the schema itself is small, and tools read it with one long question
MOST_ROWS_READ = 20_000


def too_much(document: DocumentNode) -> str | None:
    """Why a valid document is not answered; None if it is. Fragments must not contain themselves."""
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}
    measured: dict[str, tuple[int, int]] = {}
    for part in document.definitions:
        if isinstance(part, OperationDefinitionNode):
            fields, depth = _size(part.selection_set, fragments, measured)
            deepest = DEEPEST_INTROSPECTION if _is_introspection(part) else DEEPEST
            if fields > MOST_FIELDS:
                return f"The query asks for {fields} fields; at most {MOST_FIELDS} are answered."
            if depth > deepest:
                return f"The query is {depth} levels deep; at most {deepest} are answered."
    return None


def _size(
    selected: SelectionSetNode | None,
    fragments: dict[str, FragmentDefinitionNode],
    measured: dict[str, tuple[int, int]],
) -> tuple[int, int]:
    """(fields, levels), with the fragments written out."""
    fields, depth = 0, 0
    for selection in selected.selections if selected is not None else ():
        if isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name not in measured:
                measured[name] = _size(fragments[name].selection_set, fragments, measured)
            inner, levels = measured[name]
        elif isinstance(selection, FieldNode):
            inner, levels = _size(selection.selection_set, fragments, measured)
            inner, levels = inner + 1, levels + 1
        elif isinstance(selection, InlineFragmentNode):
            inner, levels = _size(selection.selection_set, fragments, measured)
        else:
            raise TypeError(type(selection).__name__)
        fields, depth = min(fields + inner, 10**9), max(depth, levels)
    return fields, depth


def _is_introspection(operation: OperationDefinitionNode) -> bool:
    return all(
        isinstance(selection, FieldNode) and selection.name.value.startswith("__")
        for selection in operation.selection_set.selections
    )
