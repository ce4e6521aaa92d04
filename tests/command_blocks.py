"""Finds the commands in the blocks of code of the documents: ``python -m tests.command_blocks`` lists and counts them.

A command is a line of a block without a language, in which ``stratum-miner`` is a word. Shell syntax around it
(prompts, comments, pipes, redirections) is removed. ``test_command_blocks`` parses each command, and runs those that it
can.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("native/*.md")} - {ROOT / "CHANGELOG.md"}
)
BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class DocumentBlock:
    """A block of code, and where it stands."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class DocumentCommand:
    """A command line of stratum-miner in a document: the words behind ``stratum-miner``."""

    place: str
    words: tuple[str, ...]
    is_whole: bool
    """Whether nothing is left out; ``...`` stands for further words."""

    def __str__(self) -> str:
        return f"{self.place} {' '.join(self.words)}"


def blocks() -> Iterator[DocumentBlock]:
    """Yield the blocks of code of all documents."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 2
            indent = found["indent"]
            body = "".join(each.removeprefix(indent) for each in found["text"].splitlines(keepends=True))
            yield DocumentBlock(str(document.relative_to(ROOT)), line, found["language"], body)


def commands() -> Iterator[DocumentCommand]:
    """Yield the commands of all documents."""
    for block in blocks():
        if block.language == "":
            joined = re.sub(r" *\\\n *", " ", block.text)  # a command may take several lines
            prompts = any(line.startswith("$ ") for line in joined.splitlines())
            for line in joined.splitlines():
                if not prompts or line.startswith("$ "):  # the rest of such a block is output
                    yield from commands_of(line.removeprefix("$ "), str(block))


def commands_of(line: str, place: str) -> Iterator[DocumentCommand]:
    """Yield the commands of stratum-miner in one line of a shell."""
    if not re.match(r"(\S*/|sudo (\S*/)?|docker .* |.*\| *(sudo )?(\S*/)?)?stratum-miner( |$)", line):
        return
    lexer = shlex.shlex(re.sub(r"(?<=\s)\d(?=[<>])", "", line), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    simple: list[list[str]] = [[]]
    tokens = iter(lexer)
    for word in tokens:
        if set(word) <= set(";&|"):
            simple.append([])
        elif set(word) <= set("<>"):
            next(tokens, None)  # the file of a redirection
        else:
            simple[-1].append(word)
    for command in simple:
        places = [index for index, word in enumerate(command) if Path(word).name == "stratum-miner"]
        if places and command[:2] != ["docker", "build"]:
            rest = command[places[-1] + 1 :]
            words = tuple(word for word in rest if word != "...")
            if words:
                yield DocumentCommand(place, words, len(words) == len(rest))


def main() -> None:
    """Print every command with its place, and how many there are."""
    found = list(commands())
    for command in found:
        print(command)
    print(f"{len(found)} commands in {len({each.place.partition(':')[0] for each in found})} documents")


if __name__ == "__main__":
    main()
