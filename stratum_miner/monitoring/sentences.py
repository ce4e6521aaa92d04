"""Defines the sentence that people read for each event of the log. An event without a sentence is shown as its name and
fields.

``{field}`` is replaced by the value of that field. A part in [brackets] is left out if one of the fields in this part
is missing from the event or has an empty value.
"""

import re
from collections.abc import Mapping
from typing import Any

SENTENCES: dict[str, str] = {
    "connecting": "Connecting to {detail}.",
    "handshake": "Connected. Subscribing and authorizing.",
    "mining": "Mining on {detail}.",
    "waiting": "Waiting[: {detail}].",
    "new_block": "New block[ at height {height}]: job {job_id}, share difficulty {difficulty}.",
    "new_job": "New job {job_id}, share difficulty {difficulty}.",
    "share_accepted": (
        "[BLOCK {block} solved. ]Share accepted, difficulty {difficulty}[, answered in {latency_ms} ms]."
    ),
    "share_rejected": "Share[ of {worker_name}] rejected: {reason}[ (difficulty {difficulty})].",
    "share_stale": "Share[ of {worker_name}] stale: {reason}.",
    "share_lost": "Share[ of {worker_name}] lost: {reason}.",
    "block_lost": "A block was lost[: {reason}].",
    "block_handed_back": "A block of the last run is submitted to its pool again: {hash}.",
    "hardware_error": "{device} computed a wrong result: {reason}.",
    "kernel_chosen": "Kernel: {reason}[. Threads: {threads}].",
    "process_frozen": (
        "This process did not run for {seconds} s, because it was stopped or the computer slept. Hash rates leave out "
        "that time."
    ),
    "hash_rate_doubtful": "The configured hash rate may not be reached: {reason}.",
    "kernel_self_test_failed": "The kernel {kernel} failed its self-test and is not used.",
    "address_of_another_chain": (
        "The worker name {worker_name} is an address of {chain}, but the work of the pool belongs to {work}: its "
        "network difficulty is {difficulty}. The pool may be unable to pay to this address."
    ),
    "mainnet_odds": (
        "At {hash_rate}, this miner alone finds a block of mainnet every {block_every} on average: the network "
        "difficulty is {difficulty}."
    ),
    "http_url": "{url}: the URL of this pool begins with http://, but stratum-miner speaks Stratum there, not HTTP.",
    "pool_chosen": "Now mining on {pool}[: {reason}].",
    "no_pool": "No pool is up[: {reason}].",
    "pool_unreachable": (
        "The pool cannot be reached: {reason}[. Next attempt in {retry_in_s} s][. Next attempt at {next}]."
    ),
    "connection_ended": (
        "The connection to the pool ended: {reason}[. Next attempt in {retry_in_s} s][. Next attempt at {next}]."
    ),
    "worker_refused": "No worker may mine on the pool {pool}[: {reason}][. Next attempt in {retry_in_s} s].",
    "login_refused": (
        "The pool refused the worker name {worker}: {reason}[. Its shares are submitted under the name {instead}]."
    ),
    "session_resumed": "The pool resumed the previous session[. Shares submitted again: {resubmitted}].",
    "reconnect_followed": "The pool asked for a new connection[ to {host}][:{port}], and stratum-miner follows.",
    "reconnect_refused": (
        "The pool asked for a new connection to {host}:{port}, but stratum-miner does not follow: {reason}."
    ),
    "pool_message": "Message from the pool: {text}",
    "bad_line": "The pool sent an invalid line: {reason}.",
    "bad_job": "The pool sent an invalid job: {reason}.",
    "job_without_coinbase": (
        "The pool sent a job without its coinbase transaction. The proxy cannot divide such a job among miners."
    ),
    "unpaired_reply": (
        "The pool sent a reply to a request that stratum-miner did not send (id {id})[, with an error: {error}]."
    ),
    "difficulty_suggested": "Asked the pool for the share difficulty {difficulty}.",
    "version_bits_form": "The pool accepted version bits in another form. Shares now use this form: {form}.",
    "handshake_shortened": "The pool closed the connection or never answered. The next attempt leaves out {without}.",
    "pool_enabled": "Pool {pool} was enabled.",
    "pool_disabled": "Pool {pool} was disabled.",
    "pool_added": "Pool {pool} was added.",
    "pool_removed": "Pool {pool} was removed.",
    "pool_moved": "Pool {pool} now has priority {place} (0 is the best).",
    "pool_changed": "The settings of pool {pool} changed.",
    "figures_zeroed": (
        "A client of the cgminer API reset its counters. Before, they were: {accepted} accepted, {rejected} rejected "
        "and {stale} stale shares, best share difficulty {best_share}."
    ),
    "pool_quota": "Pool {pool} now has the quota {quota}.",
    "strategy": "The strategy for choosing among pools is now {strategy}.",
    "configuration": "Settings are read from {file}.",
    "configuration_problem": "Configuration: {problem}.",
    "configuration_exposed": (
        "Other users of this computer can read passwords in {file}. To prevent this, run chmod 600 on the file."
    ),
    "configuration_changed": "{what} changed from {before} to {after}.",
    "configuration_takes_a_restart": "{what} changes from {before} to {after} only after a restart.",
    "configuration_unchanged": "The configuration was read again. Nothing changed.",
    "configuration_refused": "The configuration was refused, and nothing changed: {problem}.",
    "shares_rare": "{text}[. {hint}].",
    "journal_damaged": "The share journal {file} has {lines} damaged lines, which are ignored.",
    "journal_unclean": (
        "The last run did not close the share journal {file}. Records of its last 100 ms may be missing."
    ),
    "journal_failed": "Cannot write the share journal {file}: {reason}. {hint}.",
    "journal_recovered": (
        "The share journal {file} can be written again[. {missing} records are missing, but the totals include them]."
    ),
    "journal_incomplete": "The share journal {file} lacks the last {records} records: {reason}.",
    "blocks_recovered": (
        "The last run did not write the state of its block chain in {directory}. The state was rebuilt from the stored "
        "blocks, from height {before} up to height {height}."
    ),
    "log_file_failed": "Cannot write the log file {file}: {reason}. {hint}.",
    "log_file_recovered": "The log file {file} can be written again. Lines missing: {missing}.",
    "no_device_found": (
        "No mining device was recognised[. If one of these is a mining device, name it with its kind: {to_be_named}]. "
        "{hint}."
    ),
    "too_many_devices": "At most {most} devices can be used, so {ignored} is ignored.",
    "device_awaited": "Waiting for {device}: {reason}.",
    "device_started": "{device} was found at {path}.",
    "device_mining": "{device} is mining[ at {frequency} MHz]. Chips: {chips}.",
    "device_state": "{device} is {state}[: {reason}].",
    "device_gone": "{device} is no longer connected[: {reason}].",
    "device_unavailable": "{device} cannot be opened: {reason}[. Next attempt in {again_in_s} s].",
    "device_off": "{device} stays off: {reason}[. {hint}].",
    "device_defect": "The driver of {device} failed because of an internal error. The other devices continue.",
    "device_underfed": "{device} has no work for part of the time: {reason}.",
    "device_sick": "{device} is sick: {reason}.",
    "device_hot": "{device} is hot: {reason}.",
    "device_slowed": "The frequency of {device} was lowered to {frequency} MHz: {reason}.",
    "device_tripped": "The safety check switched {device} off: {reason}.",
    "power_fault": "{device} may not get enough power: {reason}[. {hint}].",
    "power_down_failed": "{device} could not be powered down: {reason}.",
    "http": "The page and the API are at {address}[. The API token is in {token}].",
    "cgminer_api": "The cgminer API is at {address}.",
    "axeos_api": "The AxeOS API is at {address}[. The API token is in {token}].",
    "stopping": "Stopping: {hint}.",
    "paused": "Mining is paused[ {by}][: {reason}].",
    "resumed": "Mining continues[: {reason}].",
    "unknown_method": "The rule {rule} names an unknown method: {method}[. {hint}].",
    "hook_failed": "The hook for {kind} failed: {reason}.",
    "hooks_too_slow": "Too many hooks are waiting, so the hook for {kind} was skipped.",
    "nothing_to_watch": "{text}.",
    "economics": "{line}",
    "ready": "Listening at {url}.",
    "upstream": "The connection to the pool changed its state to {state}[: {detail}].",
    "upstream_lost": "No pool gives work: {reason}. Connected miners: {miners}.",
    "extranonce_divided": "The pool's {upstream_bytes} bytes of extranonce2 are divided among up to {room} miners.",
    "miner_connected": "A miner connected from {address}.",
    "miner_left": "The connection of the miner at {address} ended: {reason}. Shares accepted: {accepted}.",
    "worker_authorized": "Worker {worker_name} was authorized[ ({user_agent})].",
    "share_answered_late": (
        "The pool answered a share ({fate}) after the proxy had reported the share to its miner as lost."
    ),
    "not_loopback": "Listening at {listen}: {text}.",
    "accept_failed": (
        "Connections to {address} cannot be accepted at the moment: {error}. "
        "stratum-miner tries again every {retry_in_s} s."
    ),
    "block_submit_failed": "A block could not be submitted to the node: {error}. The pool will submit it again.",
    "block_not_taken_back": (
        "The node no longer builds on block {hash}, which it had accepted, and did not accept it a second time: "
        "{reason}."
    ),
    "block_undelivered": "A block waits until the node can accept it: {explanation}[. Block: {hash}].",
    "blocks_given_back": (
        "The node lacked blocks that the pool had found. It has now accepted {blocks} of them, heights {first} to "
        "{last}."
    ),
    "capture_cut": "{file}: {reason}.",
    "changed_over_http": "Carried out a request over HTTP: {request}.",
    "chain_in_memory": (
        "The block chain is in memory; its network difficulty is {network_difficulty}. It checks {checked} of a block. "
        "It does not check {not_checked}."
    ),
    "client_connected": "A miner connected from {address}.",
    "client_failed": "The connection of the miner at {address} ended because of an internal error.",
    "client_left": (
        "The connection of the miner at {address} ended: {reason}. Shares accepted: {accepted}, rejected: {rejected}."
    ),
    "connection_failed": "Connection {connection} ended because of an internal error.",
    "connection_over": "Connection {connection} has ended.",
    "cgminer_failed": "An internal error occurred while answering a request to the cgminer API: {error}.",
    "connection_cut": "Connection {connection} was cut off: {reason}.",
    "connection_refused": "A connection[ from {address}] was refused: {reason}.",
    "engines_not_told": (
        "{device} did not report how many engines it has: expected {expected}, got {got}. One engine is assumed."
    ),
    "failed": "Threshold not met: {threshold}.",
    "http_failed": "An internal error occurred while answering {request}: {error}.",
    "lines_left_out": "In the last {seconds} s, {lines} more lines of the kind {kind} were left out of the log.",
    "listener_failed": "No more connections are accepted: {error}.",
    "miners_turned_away": (
        "New miners are refused at the moment, because no connection to the pool can be opened: {error}."
    ),
    "every_share_is_a_block": (
        "Every share is a block, because the network difficulty {network_difficulty} is not above the share difficulty "
        "{difficulty}: {advice}."
    ),
    "fault_limited": "The fault {fault} is limited on this chain: {reason}.",
    "misbehaving": "Injecting faults on purpose: {faults}.",
    "node_failed": "Waiting for the node: {error}.",
    "node_recovered": "The node gives work.",
    "page_written": "Wrote {path}.",
    "pool_listening": "Listening at {addresses}.",
    "shares_rejected": (
        "Shares rejected for the reason '{reason}': {shares}. The newest[, of {worker_name}]: {newest}."
    ),
    "pool_stopped": "The pool stopped. Blocks accepted: {blocks}. Connections in all: {sessions}.",
    "pool_stopping": (
        "The pool is stopping. Connected miners: {sessions}. Blocks without an answer from the node: "
        "{unanswered_blocks}."
    ),
    "port_missing": "The port for {role} is missing: {reason}. {hint}.",
    "proxy_stopping": (
        "The proxy is stopping. Connected miners: {miners}. Shares without an answer from the pool: {open_shares}."
    ),
    "recorded": "Recorded {lines} lines of {connections} connections in {file}.",
    "recording_stopped": "The recording stopped: {error}.",
    "sensors_silent": "Reading the sensors or setting the fan failed: {reason}.",
    "thread_not_settled": (
        "Search thread {thread} could not be pinned to its processor or given a low priority: {reason}."
    ),
    "upstream_added": "Opening another connection to the pool. Connections to the pool: {connections}.",
    "upstream_refused": "The pool refused a further connection: {reason}.",
    "upstream_removed": "A connection to the pool was closed. Connections to the pool: {connections}.",
}

_PART = re.compile(r"\[([^\]]*)\]")
_FIELD = re.compile(r"\{(\w+)\}")
_TWO_ENDS = re.compile(r"(?<=[.?!])\.(?= [A-Z]|$)")
"""Matches a full stop at the end of a sentence if there is another ``.``, ``?`` or ``!`` directly before it. This is
the case if the sentence ends with a field whose value ends with such a character."""


def sentence(name: str, fields: Mapping[str, Any]) -> str:
    """Return the log event ``name`` as a sentence. If ``SENTENCES`` has no sentence for it, or if the event lacks a
    field of the sentence, return its name and fields instead."""
    template = SENTENCES.get(name)
    if template is None:
        return _plain(name, fields)
    known = {key: value for key, value in fields.items() if value != ""}
    text = _PART.sub(lambda part: part[1] if _has_all(part[1], known) else "", template)
    if not _has_all(text, fields):
        return _plain(name, fields)
    shown = {key: _shown(value) for key, value in fields.items()}
    for key in ("text", "hint"):
        if key in shown and (text.startswith(f"{{{key}}}") or f". {{{key}}}" in text):
            shown[key] = _capitalized(shown[key])
    return _TWO_ENDS.sub("", _FIELD.sub(lambda match: shown[match[1]], text))


def _has_all(text: str, fields: Mapping[str, Any]) -> bool:
    return all(name in fields for name in _FIELD.findall(text))


def _plain(name: str, fields: Mapping[str, Any]) -> str:
    values = ", ".join(f"{key.replace('_', ' ')} {_shown(value)}" for key, value in fields.items())
    return f"{_capitalized(name.replace('_', ' '))}{': ' if values else ''}{values}"


def _capitalized(text: str) -> str:
    """Return the text with a capital letter at its beginning, unless it begins with a command such as
    ``stratum-miner``."""
    return text if "-" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def _shown(value: Any) -> str:
    return ", ".join(_shown(item) for item in value) if isinstance(value, list | tuple) else str(value)
