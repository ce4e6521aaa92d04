"""Tests that the document describes every endpoint with its types and errors."""

from stratum_miner.monitoring.http.endpoints import ENDPOINTS, PREFIX
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
