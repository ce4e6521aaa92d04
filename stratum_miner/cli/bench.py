"""``stratum-miner bench``: what each kernel of this machine does, and which one mining would choose."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from stratum_miner.backends.cpu import kernels
from stratum_miner.cli import mining, options
from stratum_miner.cli.exit_codes import ExitCode, UsageError
from stratum_miner.cli.logs import console
from stratum_miner.cli.quantities import hash_rate_text


def bench(
    *,
    kernel: options.KernelName = None,
    seconds: Annotated[float, Parameter(name="--seconds", help="How long to measure each kernel.")] = 1.0,
    json: options.Json = False,
) -> int:
    """Measure the SHA-256d kernels on one thread, after their self-test."""
    if not 0 < seconds <= 3600:
        raise UsageError(f"--seconds: expected a number above 0 and up to 3600, got {seconds}")
    choice = kernels.choose(forced=kernel)
    rows = [_measure(item, seconds) for item in kernels.available_kernels() if kernel in (None, item.name)]
    if json:
        mining.print_json({"kernels": rows, "chosen": choice.kernel.name})
    else:
        _print_table(rows, choice)
    return ExitCode.OK if all(row["self_test"] for row in rows) else ExitCode.SELF_TEST_FAILED


def _measure(kernel: kernels.Kernel, seconds: float) -> dict[str, Any]:
    with console.status(f"{kernel.name}: self-test and {seconds:g} s of hashing"):
        passed = kernels.self_test(kernel)
        rate = kernels.measure(kernel, seconds) if passed else 0.0
    return {"name": kernel.name, "lanes": kernel.lanes, "hash_rate": rate, "self_test": passed}


def _print_table(rows: list[dict[str, Any]], choice: kernels.Choice) -> None:
    table = Table(title="SHA-256d kernels, one thread", title_justify="left")
    for heading, justify in (
        ("kernel", "left"),
        ("lanes", "right"),
        ("rate", "right"),
        ("self-test", "left"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich's literal type
    for row in rows:
        table.add_row(
            row["name"],
            str(row["lanes"]),
            hash_rate_text(row["hash_rate"]),
            "passed" if row["self_test"] else "FAILED",
            "chosen" if row["name"] == choice.kernel.name else "",
        )
    output = Console()
    output.print(table)
    output.print(choice.reason, markup=False)
