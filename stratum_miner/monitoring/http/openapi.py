"""Builds the OpenAPI document of the API from the table of endpoints."""

import re
from typing import Any

import msgspec

from stratum_miner import __version__
from stratum_miner.monitoring.http.endpoints import BOUNDS, ENDPOINTS, PREFIX, Endpoint


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was refused: what was expected, what was sent, and where."""

    error: str


def document() -> dict[str, Any]:
    """Return the document in the format of OpenAPI 3.1."""
    types = [*(endpoint.answer for endpoint in ENDPOINTS), *_bodies(), Refusal]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, by_type)
    paths[f"{PREFIX}/stream"] = {"get": _stream(by_type)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stratum_miner",
            "version": __version__,
            "description": (
                "Reads and changes the state of a running miner. Hash rates are in H/s, durations in seconds unless "
                "their name has another unit, and points in time are Unix times. Requests other than GET need the API "
                "token. If the miner listens on a network address, GET needs it, too."
            ),
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _bodies() -> list[Any]:
    return [endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None]


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").rstrip("_"),
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            "200": {"description": "The request was carried out", "content": _json(schemas[repr(endpoint.answer)])},
            "400": _refusal("The request is invalid", schemas),
            "401": _refusal("The API token is missing or wrong", schemas),
        },
    }
    if endpoint.changes:
        operation["security"] = [{"token": []}]
        operation["responses"]["403"] = _refusal("The request comes from a page of another origin", schemas)
        operation["responses"]["409"] = _refusal("The request cannot be carried out now", schemas)
        operation["responses"]["413"] = _refusal("The body is too large", schemas)
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas[repr(endpoint.body)])}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _whole(name)}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": _whole(name)} for name in endpoint.query]


def _whole(name: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": BOUNDS[name]}


def _stream(schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": "Server-sent events: a `view`, then each `change` of it, each `event`, each `point` for charts",
        "operationId": "get_stream",
        "responses": {
            "200": {
                "description": "The stream, which does not end",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "401": _refusal("The API token is missing or wrong", schemas),
            "503": _refusal("There are too many listeners already", schemas),
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _refusal(text: str, schemas: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": _json(schemas[repr(Refusal)])}
