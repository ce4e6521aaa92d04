"""The present settings for ``config show`` and the web page: each with its source, and without secrets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stratum_miner.app.config.keys import ConfigKey, keys_of
from stratum_miner.app.config.layers import Layer, SettingSource
from stratum_miner.app.config.profiles import BackendProfile, backend_profiles
from stratum_miner.app.config.writing import hidden, toml_key, toml_value
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process import secrets
from stratum_miner.app.settings.mine import MineSettings
from stratum_miner.app.settings.pools import described


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting. Its value is written as TOML, or None if the setting is not set and has no default."""

    key: str
    value: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class Group:
    """The settings of the command, of one pool or of one backend."""

    table: str
    """The name of the table in the file; empty for the keys above all tables."""
    settings: tuple[ShownSetting, ...]
    note: str = ""


def groups(settings: MineSettings) -> Iterator[Group]:
    """Yield the present settings, grouped and ordered as in a configuration file.

    If the miner does not use the tables ``[backends.NAME]``, because --backend names its backends, the ``note`` of
    their groups says so.
    """
    resolved = settings.resolved
    own = keys_of(MineOptions).values()
    yield Group("", tuple(_shown(key, getattr(resolved.values, key.field), resolved.origins[key.field]) for key in own))
    for pool in described(resolved, settings.document):
        yield Group(f"pools.{toml_key(pool.name)}", tuple(_shown(*value) for value in pool.values))
    for profile in backend_profiles(settings.document, []):
        used = resolved.layer("backend") < Layer.ENVIRONMENT
        yield Group(
            f"backends.{toml_key(profile.name)}",
            tuple(
                _shown(key, getattr(profile.values, key.field), profile.origins[key.field])
                for key in keys_of(BackendProfile).values()
                if key.field in profile.origins
            ),
            note="" if used else "not used, because --backend names the backends",
        )


def as_object(settings: MineSettings, file: str | None) -> dict[str, Any]:
    """Return the settings for the API: the path of the configuration file, and the groups. Each value is a text in
    TOML, or null if it is not set."""
    return {
        "file": file,
        "groups": [
            {
                "title": group.table or "mine",
                "note": group.note,
                "settings": [
                    {"key": item.key, "value": secrets.redact(item.value), "origin": item.origin}
                    for item in group.settings
                ],
            }
            for group in groups(settings)
        ],
    }


def _shown(key: ConfigKey, value: Any, origin: SettingSource) -> ShownSetting:
    text = None if value is None and origin.layer is Layer.DEFAULT else toml_value(hidden(key, value))
    return ShownSetting(key.name, text, str(origin))
