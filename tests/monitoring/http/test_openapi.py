"""Tests that the document describes every endpoint with its types and errors."""

from stratum_miner.monitoring.http.endpoints import BOUNDS, ENDPOINTS, PREFIX
from stratum_miner.monitoring.http.openapi import document


def test_every_endpoint_is_described() -> None:
    paths = document()["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert described == {(item.method, PREFIX + item.path) for item in ENDPOINTS} | {("GET", f"{PREFIX}/stream")}
    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_references_lead_somewhere() -> None:
    whole = document()
    schemas = whole["components"]["schemas"]

    def walk(value: object) -> None:
        if isinstance(value, dict):
            reference = value.get("$ref")
            if reference is not None:
                assert reference.removeprefix("#/components/schemas/") in schemas
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(whole)
    assert {"Summary", "PoolView", "DeviceView", "View", "Refusal", "PoolAddition"} <= set(schemas)


def test_each_operation_says_what_it_takes_and_what_it_answers() -> None:
    paths = document()["paths"]
    for item in ENDPOINTS:
        operation = paths[PREFIX + item.path][item.method.lower()]
        statuses = {"200", "400", "401"} | ({"403", "409", "413"} if item.changes else set())
        assert set(operation["responses"]) == statuses
        assert ("security" in operation, "requestBody" in operation) == (item.changes, item.body is not None)
        named = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert {name for name, each in named.items() if each["in"] == "query"} == set(item.query)
        assert {name for name, each in named.items() if each["in"] == "path"} == (
            {"id"} if "{id}" in item.path else set()
        )
        for name, each in named.items():
            assert each["schema"] == {"type": "integer", "minimum": 0, "maximum": BOUNDS[name]}
            assert each.get("required", False) == (each["in"] == "path")
    pools = paths[f"{PREFIX}/pools"]["post"]
    assert pools["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/PoolAddition"
    }
    assert pools["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Done"}
    assert pools["responses"]["409"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Refusal"
    }
    assert pools["operationId"] == "post_pools"
    assert paths[f"{PREFIX}/pools/{{id}}"]["patch"]["operationId"] == "patch_pools_id"
    stream = paths[f"{PREFIX}/stream"]["get"]
    assert set(stream["responses"]) == {"200", "401", "503"}
    assert stream["responses"]["200"]["content"] == {"text/event-stream": {"schema": {"type": "string"}}}


def test_the_bounds_of_numbers_and_texts_are_those_of_the_documents() -> None:
    schemas = document()["components"]["schemas"]
    addition, changes = schemas["PoolAddition"]["properties"], schemas["PoolChanges"]["properties"]
    lengths = {
        name: (addition[name].get("minLength"), addition[name].get("maxLength"))
        for name in ("url", "user", "password", "name")
    }
    assert lengths == {"url": (1, 500), "user": (1, 500), "password": (None, 500), "name": (None, 100)}
    device = schemas["DeviceAddition"]["properties"]["device"]
    assert (device["minLength"], device["maxLength"]) == (1, 500)
    for properties, name, most in (
        (addition, "priority", 1000), (changes, "priority", 1000), (changes, "quota", 1_000_000),
    ):  # fmt: skip
        [number] = [each for each in properties[name]["anyOf"] if each["type"] == "integer"]
        assert (number["minimum"], number["maximum"]) == (0, most)
    assert BOUNDS == {"limit": 500, "after": 9_007_199_254_740_992, "id": 2_147_483_648, "priority": 1000}
