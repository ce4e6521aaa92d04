"""Packages that only some users need are not imported for the others: ``docs/explanation/dependencies.md``."""

import subprocess
import sys

import pytest

SERVERS = frozenset({"anyio", "prometheus_client", "starlette"})
"""What only a server over HTTP needs."""
SELDOM = frozenset({"anyio", "distributed", "pbk", "pytest", "python_socks", "trustme"})


@pytest.mark.parametrize("command", ["mine --help", "pool --help", "proxy --help"])
def test_what_few_users_need_is_imported_for_them_alone(command: str) -> None:
    program = [sys.executable, "-X", "importtime", "-m", "stratum_miner", *command.split()]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"stratum_miner", "cyclopts"} <= imported
    assert imported & (SERVERS | SELDOM) == set()


ALONE = """
import sys

allowed = {{*sys.stdlib_module_names, "stratum_miner", *{allowed!r}}}


class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Refusing())
import importlib
import pkgutil

package = importlib.import_module("{package}")
for module in pkgutil.walk_packages(package.__path__, "{package}."):
    importlib.import_module(module.name)
for name in package.__all__:
    getattr(package, name)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"msgspec", "trio", "structlog", "rich", "asyncio"}}))
"""


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("stratum_miner.stratum", ["msgspec"]), ("stratum_miner.bitcoin", []), ("stratum_miner.work", [])],
)
def test_the_pure_packages_need_next_to_nothing(package: str, allowed: list[str]) -> None:
    """The protocol needs the standard library and msgspec; block headers and work need the standard library."""
    program = ALONE.format(package=package, allowed=allowed)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == repr(allowed)
