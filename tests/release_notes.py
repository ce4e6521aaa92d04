"""Prints the changes of a release: ``python -m tests.release_notes v1.2.3``. Needs only the standard library.

It ends with exit code 1 and one line if the tag is not the version in pyproject.toml, or if CHANGELOG.md has no section
for that version.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of a version in the text of CHANGELOG.md. Raises ValueError if the release cannot be made."""
    if tag != f"v{version}":
        raise ValueError(f"expected the tag v{version}, which is the version in pyproject.toml, got {tag!r}")
    heading = rf"^## {re.escape(version)} - \d{{4}}-\d{{2}}-\d{{2}}\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ValueError(f"CHANGELOG.md: expected a section '## {version} - YEAR-MONTH-DAY' with changes, found none")
    return found[1].strip() + "\n"


def main() -> None:
    """Print the notes for the tag that the command line names."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    try:
        sys.stdout.write(notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
