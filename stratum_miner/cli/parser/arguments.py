"""Reads a command line before the parser of the options does. Reports mistakes, and accepts options by the names that
they have in other programs.

The words are read from left to right, so the first mistake is the one that is reported. If an option has another name
in other programs, this module replaces that name with the one used here (see the tables in ``peers``). It joins each
value to its option, as in ``--url=VALUE``, so that the parser of the options cannot mistake a value for an option, or
an option for a value.
"""

import re
from collections.abc import Iterator, Sequence

import cyclopts
from cyclopts import Argument

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.cli.parser import peers
from stratum_miner.cli.parser.commands import COMMANDS, PROGRAM
from stratum_miner.cli.parser.page import (
    arguments_of,
    first_sentence,
    label_of,
    subcommands,
    takes_many,
    takes_value,
)
from stratum_miner.spelling import did_you_mean, nearest

HELP = frozenset({"--help", "-h", "--help-all", "-help"})
EVERYTHING = "--help-all"
"""The option that shows the whole help of a command with many options."""
VERSION = frozenset({"--version", "-V", "-version"})
_NEGATIVE_NUMBER = re.compile(r"-\.?\d")
_POOL = re.compile(r"[a-z0-9+]+://.+|[^\s/@:]+:\d+", re.IGNORECASE)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
"""Matches a character that text programs and web pages put in place of a hyphen."""
_MENTIONED = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_QUOTED = re.compile(r"'stratum-miner [^']*'")


def command_of(app: cyclopts.App, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of the command, and the words after these.

    Options without a command belong to ``mine``, as with other miners. Raises UsageError for an unknown command.
    """
    words = list(arguments)
    if words[0] == "help":
        words = [*words[1:], "--help"]
    if words[0].startswith("-") and words[0] not in HELP | VERSION:
        words = _as_mine(app, words)
    chain: list[str] = []
    while words and (below := subcommands(app)):
        word = words[0]
        if word in below:
            app = app[word]
            chain.append(words.pop(0))
        elif word in HELP | VERSION:
            break
        else:
            raise UsageError(_unknown_command(chain, word, below))
    return chain, words


def _as_mine(app: cyclopts.App, words: list[str]) -> list[str]:
    """Put ``mine`` in front of a command line that has no command but begins with an option of ``mine``. Raises
    UsageError if the first word is not an option of ``mine``."""
    name = _plain(words[0].partition("=")[0])
    options = _by_name(arguments_of(app["mine"]))
    if name in options or peers.way_of(name) or _is_one_dash(words[0]):
        return ["mine", *words]
    hint = did_you_mean(name, [*VERSION, *HELP, *options], f"; '{PROGRAM} help' lists the commands")
    raise UsageError(f"{name}: expected a command or an option of mine{hint}")


def _unknown_command(chain: Sequence[str], word: str, known: Sequence[str]) -> str:
    program = " ".join((PROGRAM, *chain))
    if not chain and _POOL.fullmatch(word):
        return f"expected a command, got a pool; to mine on it, use '{PROGRAM} mine -o HOST:PORT -u WORKER'"
    _check_hyphen(word)
    if word.startswith("-"):
        return f"{word.partition('=')[0]}: expected a command first; '{program} --help' lists them"
    other = peers.COMMANDS.get(word.lower()) if not chain else None
    near = nearest(word, known) if other is None else other
    hint = f"did you mean {near!r}? " if near else ""
    return f"unknown command {_shown(word)}: {hint}'{program} --help' lists the commands"


def wants_version(words: Sequence[str]) -> bool:
    """Return whether the words ask for the version."""
    return not VERSION.isdisjoint(_options(words))


def wants_help(app: cyclopts.App, command: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether the user asks for help. A group of commands without a word after it also asks for help."""
    for word in command:
        app = app[word]
    if list(words) == ["help"] and not any(each.index is not None for each in arguments_of(app)):
        return True
    return not HELP.isdisjoint(_options(words)) or (not words and bool(subcommands(app)))


def wants_everything(words: Sequence[str]) -> bool:
    """Return whether the words ask for the help with all options."""
    return EVERYTHING in _options(words)


def _options(words: Sequence[str]) -> Sequence[str]:
    """Return the words before ``--``, which ends the options. Without ``--``, return all words."""
    return words[: words.index("--")] if "--" in words else words


def understood(app: cyclopts.App, chain: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the words after a command in the form that the parser of its options expects. Raises UsageError for the
    first mistake."""
    for word in chain:
        app = app[word]
    return list(_Reader(chain, arguments_of(app)).read(words))


class _Reader:
    """Reads the words after one command."""

    def __init__(self, chain: Sequence[str], arguments: Sequence[Argument]) -> None:
        self.command = " ".join((PROGRAM, *chain))
        self.first = chain[0] if chain else "mine"
        self.options = _by_name(arguments)
        self.positional = [each for each in arguments if each.index is not None]

    def read(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the words in the form that the parser of the options expects."""
        left = list(words)
        positional = 0
        several = ""  # the last option before this word, if that option takes several values
        while left:
            word = left.pop(0)
            if word == "--":
                yield from (word, *left)
                return
            if not _is_option(word) and word not in peers.OPTIONS:
                if several:
                    yield f"{several}={word}"
                    continue
                positional += 1
                self._check_positional(positional, word, first=word is words[0])
                yield word
                continue
            if self._are_flags(word):
                left[:0] = [f"-{letter}" for letter in word[1:]]
                continue
            name, equals, value = word.partition("=")
            name = _plain(name)
            if name not in self.options:
                renamed = self._answer(word, left)
                if renamed is None:
                    continue
                name, equals, value = renamed.partition("=")
            yield self._option(name, value if equals else None, left)
            several = name if self.options[name].parameter.consume_multiple else ""

    def _option(self, name: str, value: str | None, left: list[str]) -> str:
        """Return an option with its value, which is the next word unless it was joined to the option."""
        if not takes_value(self.options[name]):
            return name if value is None else f"{name}={value}"
        if value is None:
            value = self._value_of(name, left)
        return f"{name}={value}"

    def _value_of(self, name: str, left: list[str]) -> str:
        purpose = purpose_of(self.options[name])
        if not left:
            raise UsageError(f"{name} needs a value: {purpose}")
        if _is_option(left[0]):
            option = left[0].partition("=")[0]
            known = not {option, f"-{option}"}.isdisjoint(
                {*self.options, *peers.OPTIONS, *peers.OF_COMMANDS.get(self.first, ())}
            )
            what = f"the option {option}" if known else "a word that begins with a hyphen"
            raise UsageError(f"{name} needs a value, got {what} (write {name}=VALUE for such a value): {purpose}")
        return left.pop(0)

    def _are_flags(self, word: str) -> bool:
        """Return whether a word is one dash followed by letters that are all flags, such as ``-qD``."""
        if not _is_one_dash(word) or f"-{word}" in self.options:
            return False
        flags = [self.options.get(f"-{letter}") for letter in word[1:]]
        return all(flag is not None and not takes_value(flag) for flag in flags)

    def _check_positional(self, number: int, word: str, *, first: bool) -> None:
        """Raise UsageError for an argument that the command does not take. ``first``: whether no word is before it."""
        if number <= len(self.positional) or any(map(takes_many, self.positional)):
            return
        if number == 1 and word in COMMANDS and not first:
            raise UsageError(f"expected the command first, as in '{PROGRAM} {word} --help', got its options first")
        _check_hyphen(word)
        if "--url" in self.options and not self.positional:
            raise UsageError(
                f"expected -o before the pool and -u before the worker name, got {_shown(word)} without them"
            )
        if "--api" in self.options and not self.positional:
            raise UsageError(f"expected --api before the URL of the miner, got {_shown(word)} without it")
        expected = " ".join(map(label_of, self.positional)) or "only options"
        option = f"--{word.partition('=')[0]}"
        if "=" in word and option in self.options:
            raise UsageError(f"expected {expected}, got {_shown(word)} as well; write {option}=VALUE")
        raise UsageError(f"expected {expected}, got {_shown(word)} as well; '{self.command} --help' shows the options")

    def _answer(self, word: str, left: list[str]) -> str | None:
        """Return what replaces ``word``, which is an option that the command does not have. This is the option of the
        command with the same meaning or, for ``-t4``, the form ``-t=4``. Return None for an option that chooses
        Bitcoin's algorithm, because such an option can be left out. ``left`` are the words after ``word``.

        Raises UsageError for any other option.
        """
        name, equals, value = word.partition("=")
        way = peers.way_of(_plain(name), self.first)
        match way:
            case peers.Renamed(to=to) if to in self.options:
                return f"{to}{equals}{value}"
            case peers.Algorithm():
                self._check_algorithm(name, value if equals else left.pop(0) if left else "")
                return None
            case peers.Way(advice=advice) if self._fits(advice):
                raise UsageError(f"{name}: {advice}")
        if _is_one_dash(word):
            return self._one_dash(word)
        names = [each for each in self.options if each.startswith("--")]
        hint = did_you_mean(name, names, f"; '{self.command} --help-all' shows all options")
        raise UsageError(f"unknown option {name}{hint}")

    def _fits(self, advice: str) -> bool:
        """Return whether the command has all options that ``advice`` recommends. Options inside a command line that
        ``advice`` quotes do not count, because such a line runs another command."""
        return all(option in self.options for option in _MENTIONED.findall(_QUOTED.sub("", advice)))

    def _check_algorithm(self, name: str, algorithm: str) -> None:
        if algorithm.lower() not in peers.ALGORITHMS:
            raise UsageError(f"{name}: stratum-miner mines only Bitcoin's algorithm, sha256d, got {algorithm!r}")

    def _one_dash(self, word: str) -> str:
        """Return the option for one dash and a letter with a number, such as ``-t4``.

        Raises UsageError for a long option with one dash. Its letters could otherwise be read as the value of another
        option: ``-url`` would be ``-u`` with the worker name ``rl``.
        """
        name = word.partition("=")[0]
        long = f"-{name}"
        if long in self.options or peers.way_of(long, self.first):
            raise UsageError(f"{name}: a long option begins with two hyphens: {long}")
        letter = name[:2]
        takes = letter in self.options and takes_value(self.options[letter])
        if takes and word[2].isdigit():
            return f"{letter}={word[2:]}"
        near = nearest(long, (each for each in self.options if each.startswith("--")))
        if near is not None:
            raise UsageError(f"{name}: a long option begins with two hyphens: did you mean {near}?")
        if takes:
            raise UsageError(
                f"{letter}: expected a space before its value; a long option begins with two hyphens, as in --user"
            )
        raise UsageError(f"unknown option {name}; a long option begins with two hyphens")


def purpose_of(argument: Argument) -> str:
    """Return what an option or an argument is for: the first sentence of its help, to be used inside a sentence."""
    sentence = first_sentence(str(argument.parameter.help or argument.field_info.help or "")).removesuffix(".")
    is_acronym = sentence[1:2].isupper() or "=" in sentence.split(" ")[0]
    return sentence if is_acronym else sentence[:1].lower() + sentence[1:]


def _by_name(arguments: Sequence[Argument]) -> dict[str, Argument]:
    return {name: each for each in arguments for name in each.names if name.startswith("-")}


def _plain(name: str) -> str:
    """Return the name of a long option with hyphens. A key of the configuration file has underscores."""
    return name.replace("_", "-") if name.startswith("--") else name


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not _NEGATIVE_NUMBER.match(word)


def _check_hyphen(word: str) -> None:
    """Raise UsageError if a word begins with another dash than the hyphen of an option."""
    if _DASHES.match(word):
        raise UsageError(f"expected a hyphen before an option, got the dash {word[0]!r}: type {_typed(word)!r} instead")


def _typed(word: str) -> str:
    """Return an option with hyphens in place of other dashes, without its value. One long dash stands for the two
    hyphens of a long option."""
    name = _DASHES.sub("-", word).partition("=")[0]
    return f"-{name}" if len(name) > 2 and name[1] != "-" else name


def _is_one_dash(word: str) -> bool:
    """Return whether a word is one dash followed by several characters, such as ``-url`` or ``-t4``. A word in which
    the second of these characters is ``=``, such as ``-t=4``, does not count."""
    return word.startswith("-") and not word.startswith("--") and len(word) > 2 and word[2] != "="


def _shown(word: str) -> str:
    """Return a word as an error quotes it: only what follows the last ``@``, because a URL may have a password before
    it."""
    return repr(word.rpartition("@")[2])
