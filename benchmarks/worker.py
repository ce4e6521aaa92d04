"""Runs one benchmark for the harness: one turn for each line of standard input, and one line of JSON for each turn.

    PYTHON -P benchmarks/worker.py NAME

The harness starts this file with the Python of the environment that has the code to be measured. That code may be of an
older commit than this file. Each answer is an object with ``readings``, or with ``skipped`` and the reason if the
measured code does not have what the benchmark needs.
"""

import importlib
import json
import logging
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

import structlog

ROOT = str(Path(__file__).parents[1])


def main() -> None:
    """Answer lines until standard input ends."""
    # at the end of the path, so that the measured code is that of the environment and not that of this checkout
    sys.path.append(ROOT)
    from benchmarks.reading import NotHereError, Opened  # noqa: PLC0415  found only from here on

    # what other code prints must not come between the answers
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(value: object) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        opened: Opened = importlib.import_module(f"benchmarks.guarded.{sys.argv[1]}").opened()
        assert isinstance(opened, AbstractContextManager)
        with opened as turn:
            turn()  # the first turn imports modules and fills caches
            answer({"readings": []})
            for _ in sys.stdin:
                answer({"readings": [asdict(reading) for reading in turn()]})
    except (ImportError, AttributeError, TypeError, NotHereError) as error:  # what an older commit has otherwise
        answer({"skipped": f"{type(error).__name__}: {error}" if not isinstance(error, NotHereError) else str(error)})


if __name__ == "__main__":
    main()
