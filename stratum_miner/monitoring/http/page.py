"""Serves the web page and its files, such as scripts. The path of each file contains a hash of all the files.

A browser can cache the files for ever and never mixes files of two versions, because another version has other paths.
Only the page itself, which names the paths, is fetched each time. The files are read from the disk once, at the start.
If an upgrade then replaces them on the disk, the running program continues to serve the old files, which match its API.
"""

import hashlib
import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

WEB = Path(__file__).parent.parent / "web"
FOR_GOOD = "public, max-age=31536000, immutable"


class PageFiles:
    """The files of the web page. Their paths contain ``version``, a hash of all the files."""

    def __init__(self, directory: Path = WEB) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
        self.version = digest.hexdigest()[:16]
        self._index = self._files.pop("index.html").replace(b'"/web/', f'"/web/{self.version}/'.encode())

    def routes(self) -> list[Route]:
        """Return the routes of the page and its files."""
        compressed = [Middleware(GZipMiddleware)]
        return [
            Route("/", self._page, methods=["GET"], middleware=compressed),
            Route(f"/web/{self.version}/{{name}}", self._file, methods=["GET"], middleware=compressed),
        ]

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(self._index)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0]
        return Response(self._files[name], media_type=kind, headers={"cache-control": FOR_GOOD})
