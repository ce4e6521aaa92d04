"""What the site has beside the pages of this folder, for mkdocs: files of the checkout, and the Python reference."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that stand at the top of a repository, where people look for them."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the checkout's top folder, and a page for each public package."""
    for name in OUTSIDE:
        text = re.sub(r"\]\(docs/", "](../", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, f"project/{name}", content=text))
    for package, names in public_names().items():
        page = f"# stratum_miner.{package}\n\n" + "".join(f"::: stratum_miner.{package}.{name}\n\n" for name in names)
        files.append(File.generated(config, f"reference/python/{package}.md", content=page))
    return files


def public_names() -> dict[str, list[str]]:
    """Return the names in the tables of reference/api.md, by package."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^## `stratum_miner\.(\w+)`$", page, flags=re.MULTILINE)[1:]
    return {
        package: re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        for package, text in zip(sections[::2], sections[1::2], strict=True)
    }


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to pages of the top folder lead to their copies in the site."""
    return re.sub(rf"\]\((?:\.\./)+({'|'.join(OUTSIDE)})", r"](../project/\1", markdown)
