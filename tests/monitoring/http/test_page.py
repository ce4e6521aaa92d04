"""Tests the files of the page: browsers cache them for ever, never mix versions, and the guard protects them."""

import re
from pathlib import Path

import pytest

from stratum_miner.monitoring.http.page import WEB, PageFiles

from .conftest import ApiFactory


async def test_what_the_page_names_is_there_and_kept_for_good(served: ApiFactory) -> None:
    async with served() as api:
        page = await api.get("/")
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        found = re.findall(r'(?:href|src)="(/web/[^"]+)"', page.text)
        assert {Path(path).name for path in found} >= {"app.js", "style.css", "theme.js", "icon.svg"}
        for path in found:
            file = await api.get(path)
            assert file.status_code == 200
            assert file.content == (WEB / Path(path).name).read_bytes()
            assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_every_module_that_a_module_imports_has_the_same_version(served: ApiFactory) -> None:
    async with served() as api:
        start = re.search(r'"(/web/\w+/)app.js"', (await api.get("/")).text)
        assert start is not None
        waiting, seen = ["app.js"], set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                file = await api.get(start[1] + name)
                assert file.headers["content-type"].partition(";")[0].endswith("/javascript")
                waiting += re.findall(r'from "\./([^"]+)"', file.text)
        assert seen >= {"api.js", "live.js", "charts.js"}


@pytest.mark.parametrize("path", ["/web/0123456789abcdef/app.js", "/web/app.js", "/web/{}/none.js", "/web/{}/..%2f.."])
async def test_no_other_address_answers(path: str, served: ApiFactory) -> None:
    async with served() as api:
        refused = await api.get(path.format(PageFiles().version))
        assert refused.status_code == 404
        assert refused.headers["cache-control"] == "no-store"


def test_other_content_and_another_name_have_another_version(tmp_path: Path) -> None:
    versions = set()
    for name, content in (("a.js", "1"), ("a.js", "2"), ("b.js", "2")):
        folder = tmp_path / f"{name}{content}"
        folder.mkdir()
        (folder / "index.html").write_text('<script src="/web/a.js"></script>')
        (folder / name).write_text(content)
        versions.add(PageFiles(folder).version)
        assert PageFiles(folder).version == PageFiles(folder).version
    assert len(versions) == 3


async def test_no_stranger_may_frame_the_page_or_add_to_it(served: ApiFactory) -> None:
    async with served() as api:
        for path in ("/", "/health", f"/web/{PageFiles().version}/app.js", "/nothing"):
            headers = (await api.get(path)).headers
            policy = {part.partition(" ")[0]: part for part in headers["content-security-policy"].split("; ")}
            assert policy == {
                "default-src": "default-src 'self'",
                "img-src": "img-src 'self' data:",
                "frame-ancestors": "frame-ancestors 'none'",
                "base-uri": "base-uri 'none'",
                "form-action": "form-action 'none'",
                "require-trusted-types-for": "require-trusted-types-for 'script'",
            }
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


async def test_what_is_long_is_compressed_for_who_asks(served: ApiFactory) -> None:
    async with served() as api:
        for path in ("/", f"/web/{PageFiles().version}/style.css", "/api/v1/view"):
            plain = await api.get(path, headers={"accept-encoding": "identity"})
            assert "content-encoding" not in plain.headers
            packed = await api.get(path, headers={"accept-encoding": "gzip"})
            assert packed.headers["content-encoding"] == "gzip"
            assert int(packed.headers["content-length"]) < len(plain.content) / 2
