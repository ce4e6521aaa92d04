"""Stratum V1, sans-IO, both roles: bytes in, typed events out. No socket, no clock, no logging, no randomness."""

from stratum_miner.stratum.client_connection import ClientConnection, ClientState, WorkerState
from stratum_miner.stratum.errors import (
    ErrorReason,
    ErrorReply,
    FieldError,
    LocalProtocolError,
    RemoteProtocolError,
    StratumError,
)
from stratum_miner.stratum.server_connection import ServerConnection, ServerState, encode_announcement

__all__ = [
    "ClientConnection",
    "ClientState",
    "ErrorReason",
    "ErrorReply",
    "FieldError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "ServerConnection",
    "ServerState",
    "StratumError",
    "WorkerState",
    "encode_announcement",
]
