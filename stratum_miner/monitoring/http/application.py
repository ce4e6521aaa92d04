"""Builds the Starlette application. It serves the endpoints of the table in ``endpoints``, the stream of changes,
metrics, health, and the web page."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stratum_miner.installation import MissingExtraError, require
from stratum_miner.monitoring.control import ControlRefused
from stratum_miner.monitoring.health import READY
from stratum_miner.monitoring.http import openapi
from stratum_miner.monitoring.http.endpoints import BOUNDS, ENDPOINTS, PREFIX, ApiRequest, Endpoint, Source
from stratum_miner.monitoring.http.guard import MAX_BODY, Access, BodyTooLarge, Guard, refusal
from stratum_miner.monitoring.http.page import PageFiles
from stratum_miner.monitoring.http.server import INTERNAL_ERROR
from stratum_miner.monitoring.http.stream import MAX_LISTENERS, Stream, Streams
from stratum_miner.nesting import MAX_DEPTH, is_deep

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def application(source: Source, access: Access) -> Starlette:
    """Return the application that answers all HTTP requests to a miner."""
    page = PageFiles()

    def miner_metrics() -> "Iterable[Metric]":
        from stratum_miner.monitoring.http import metrics  # noqa: PLC0415  needs an extra

        return metrics.families(source.monitor.view())

    return Starlette(
        routes=[
            *_routes(source),
            Route(f"{PREFIX}/stream", _streaming(source, page), methods=["GET"]),
            Route("/openapi.json", _openapi, methods=["GET"]),
            Route("/metrics", _metrics(miner_metrics), methods=["GET"]),
            Route("/health", _state(source, access), methods=["GET"]),
            Route("/ready", _state(source, access, refusing=True), methods=["GET"]),
            *page.routes(),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            HTTPException: _describe,
            BodyTooLarge: lambda request, error: refusal(413, f"body: expected at most {MAX_BODY} bytes"),
            Exception: _failed,
        },
    )


def stats(
    summary: Callable[[], Mapping[str, Any]], metrics: "Callable[[], Iterable[Metric]]", access: Access
) -> Starlette:
    """Return an application that serves only a summary, metrics and health, for commands other than ``mine``."""

    async def show(request: Request) -> Response:
        return Response(msgspec.json.encode(summary()), media_type="application/json")

    return Starlette(
        routes=[
            Route(f"{PREFIX}/summary", show, methods=["GET"]),
            Route("/metrics", _metrics(metrics), methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _describe, Exception: _failed},
    )


def _routes(source: Source) -> list[Route]:
    """Return one route for each path, so that an answer with status 405 names all methods of the path in
    its ``Allow`` header."""
    paths: dict[str, dict[str, Handler]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = _answering(endpoint, source)
    compressed = [Middleware(GZipMiddleware)]
    return [
        Route(PREFIX + path, _by_method(handlers), methods=[*handlers], middleware=compressed)
        for path, handlers in paths.items()
    ]


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def answer(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return answer


def _answering(endpoint: Endpoint, source: Source) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            call = ApiRequest(
                path={name: _whole("path", name, text) for name, text in request.path_params.items()},
                query=_query(endpoint, request),
                body=None if endpoint.body is None else _body(await request.body(), endpoint.body),
            )
        except msgspec.ValidationError as error:
            return refusal(400, f"body: {_lower(str(error))}")
        except msgspec.DecodeError as error:
            return refusal(400, f"body: expected JSON: {error}")
        except ValueError as error:
            return refusal(400, str(error))
        try:
            found = endpoint.handle(source, call)
        except ControlRefused as error:
            return refusal(409, str(error))
        if endpoint.changes:
            log.info("changed_over_http", request=f"{request.method} {request.scope['path']}")
        return Response(msgspec.json.encode(found), media_type="application/json")

    return answer


def _query(endpoint: Endpoint, request: Request) -> dict[str, int]:
    for name in request.query_params:
        if name not in endpoint.query:
            raise ValueError(f"query: expected {' or '.join(endpoint.query) or 'no parameter'}, got {name[:80]!r}")
    return {name: _whole("query", name, text) for name, text in request.query_params.items()}


def _whole(where: str, name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise ValueError(f"{where}: {name}: expected an integer, got {text[:80]!r}")
    if int(text) > BOUNDS[name]:
        raise ValueError(f"{where}: {name}: expected an integer of at most {BOUNDS[name]}, got {text}")
    return int(text)


def _body(content: bytes, wanted: Any) -> Any:
    """Decode a JSON body to the type ``wanted``. JSON has only one type of number, so 3.0 counts as the integer 3."""
    too_deep = ValueError(f"body: expected JSON with at most {MAX_DEPTH} nested objects and arrays, got more")
    try:
        value = msgspec.json.decode(content)
    except RecursionError:
        raise too_deep from None
    if isinstance(value, dict | list) and is_deep(value):
        raise too_deep
    json.loads(content, object_pairs_hook=_each_once)
    if isinstance(value, dict):
        value = {
            name: int(item) if isinstance(item, float) and item.is_integer() else item for name, item in value.items()
        }
    return msgspec.convert(value, wanted)


def _each_once(pairs: Sequence[tuple[str, Any]]) -> None:
    """Raise ValueError if a JSON object has the same key twice, because programs differ in which of the two values they
    use. msgspec uses the last."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"body: expected each key once, got {name[:80]!r} twice")
        seen.add(name)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _streaming(source: Source, page: PageFiles) -> Callable[[Request], Awaitable[Response | Stream]]:
    streams = Streams(source.monitor, page.version)

    async def answer(request: Request) -> Response | Stream:
        if streams.full:
            return refusal(
                503, f"stream: expected at most {MAX_LISTENERS} listeners at a time; close one and try again"
            )
        return Stream(streams, request.headers.get("last-event-id", ""))

    return answer


def _metrics(metrics: "Callable[[], Iterable[Metric]]") -> Handler:
    """Return a handler that answers with the metrics. If the optional packages for metrics (the extra ``metrics``) are
    not installed, the answer is status 501 with the reason."""
    try:
        require("metrics", "/metrics")
    except MissingExtraError as error:
        text = str(error)

        async def refuse(request: Request) -> Response:
            return refusal(501, text)

        return refuse
    from stratum_miner.monitoring.http.exposition import CONTENT_TYPE, Exposition  # noqa: PLC0415  needs the extra

    scrape = Exposition(metrics).text

    async def answer(request: Request) -> Response:
        return Response(scrape(), headers={"content-type": CONTENT_TYPE})

    return answer


async def _openapi(request: Request) -> Response:
    return Response(msgspec.json.encode(openapi.document()), media_type="application/json")


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _state(source: Source, access: Access, *, refusing: bool = False) -> Handler:
    """Return a handler that answers with the state of the miner on the first line, followed by one line for each
    problem. If the miner is paused, or if it has no problem, the second line is the reason of the state, if there is a
    reason.

    If ``refusing`` is true, the HTTP status is 503 unless the state is one of READY.

    Clients need no API token for this answer, even if they need it for all other data. In that case, the answer leaves
    out the reason of the state, and gives only the kind of each problem instead of the problem's text, because the text
    names pools, workers and devices.
    """

    async def answer(request: Request) -> Response:
        summary = source.monitor.view().summary
        lines = [problem.text if access.open_reading else problem.kind for problem in summary.problems]
        if summary.detail and access.open_reading and (summary.state == "paused" or not lines):
            lines.insert(0, summary.detail)
        text = "\n".join(" ".join(line.split()) for line in (summary.state, *lines))
        return PlainTextResponse(f"{text}\n", 503 if refusing and summary.state not in READY else 200)

    return answer


async def _describe(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    paths = [route.path for route in request.app.routes]
    known = "/openapi.json lists all paths" if "/openapi.json" in paths else f"the paths are {' and '.join(paths)}"
    texts = {
        404: f"path: there is nothing at {request.scope['path'][:80]!r}; {known}",
        405: f"method: expected a method that the header Allow lists, got {request.method[:20]}",
    }
    return refusal(error.status_code, texts.get(error.status_code, error.detail), **(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    return refusal(500, INTERNAL_ERROR)
