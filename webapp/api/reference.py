"""The reference as a page: the OpenAPI document in words, drawn by the server, so that it needs no script and no other host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.enums import Scope

PREFIX = "#/components/schemas/"
SHOWN_ERRORS = {
    "400": "cannot be parsed", "401": "no valid token", "403": "scope missing", "404": "not there", "409": "does not fit the present state",
    "413": "too large", "422": "not valid", "429": "too many requests",
}  # fmt: skip


@dataclass(frozen=True)
class Type:
    """A type in words; ``parts`` alternate freely between words and links to objects of the page."""

    parts: Sequence[tuple[str, str]]
    """(text, name of the object it links to, or nothing)."""


@dataclass(frozen=True)
class FieldRow:
    name: str
    type: Type
    required: bool
    default: str
    description: str
    place: str = ""


@dataclass(frozen=True)
class Answer:
    status: str
    type: Type | None


@dataclass(frozen=True)
class OperationEntry:
    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: Sequence[FieldRow]
    body: Type | None
    body_kind: str
    answers: Sequence[Answer]
    errors: Sequence[str]


@dataclass(frozen=True)
class ObjectEntry:
    name: str
    description: str
    fields: Sequence[FieldRow]
    choices: Sequence[str]


@dataclass(frozen=True)
class Reference:
    groups: Sequence[tuple[str, Sequence[OperationEntry]]]
    objects: Sequence[ObjectEntry]


def reference_of(document: Mapping[str, Any]) -> Reference:
    """What the page shows of an OpenAPI document."""
    groups: dict[str, list[OperationEntry]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault((operation.get("tags") or ["Other"])[0], []).append(_operation(path, method, operation))
    objects = [_object(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return Reference(groups=list(groups.items()), objects=objects)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> OperationEntry:
    schemes = [name for requirement in operation.get("security", ()) for name in requirement]
    contents: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    body_kind = next(iter(contents), "")
    answers, errors = [], []
    for status, answer in sorted((str(status), answer) for status, answer in operation["responses"].items()):
        if status.startswith("2"):
            schema = next((content.get("schema") for content in answer.get("content", {}).values()), None)
            answers.append(Answer(status, None if schema is None else _type(schema)))
        elif status.startswith("4"):
            errors.append(f"{status} {SHOWN_ERRORS.get(status, answer['description'])}")
    return OperationEntry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        scope=next((scope.value for scope in Scope for name in schemes if name.lower().startswith(scope.value)), ""),
        parameters=[
            _field(each["name"], each["schema"] | {"description": each.get("description", "")}, each.get("required", False), each["in"])
            for each in operation.get("parameters", ())
        ],
        body=_type(contents[body_kind]["schema"]) if contents else None,
        body_kind=body_kind,
        answers=answers,
        errors=errors,
    )


def _object(name: str, schema: Mapping[str, Any]) -> ObjectEntry:
    required = schema.get("required", ())
    return ObjectEntry(
        name=name,
        description=schema.get("description", ""),
        fields=[_field(field, each, field in required) for field, each in schema.get("properties", {}).items()],
        choices=[str(choice) for choice in schema.get("enum", ())],
    )


def _field(name: str, schema: Mapping[str, Any], required: bool, place: str = "") -> FieldRow:
    default = schema.get("default")
    shown = (
        ""
        if default in (None, "", [], {}) or isinstance(default, dict)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return FieldRow(name, _type(schema), required, shown, schema.get("description", ""), place)


def _type(schema: Mapping[str, Any]) -> Type:
    return Type(list(_words(schema)))


def _words(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The type in words, links apart."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(PREFIX)
        yield name, name
    elif several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for index, each in enumerate(several):
            if index:
                yield " or ", ""
            yield from _words(each)
    elif "enum" in schema or "const" in schema:
        yield " | ".join(map(str, schema.get("enum") or [schema["const"]])), ""
    elif schema.get("type") == "array":
        yield "list of ", ""
        yield from _words(schema.get("items") or {})
    elif schema.get("type") == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        yield "object of ", ""
        yield from _words(values)
    elif schema.get("type") == "object" and "properties" in schema:
        yield "form: ", ""
        yield ", ".join(schema["properties"]), ""
    else:
        yield f"{schema.get('format') or schema.get('type') or 'anything'}{_limits(schema)}", ""


def _limits(schema: Mapping[str, Any]) -> str:
    """``, 1 to 100`` and the like."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", from {low}" if "minimum" in schema else f", above {low}"
    if "maxLength" in schema:
        return f", up to {schema['maxLength']} characters"
    return ""
