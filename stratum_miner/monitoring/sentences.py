"""What an event says to people: a sentence for each name that a miner logs. What has none says its name and fields.

``{field}`` is replaced; a part in [brackets] is left out when one of its fields is absent or empty.
"""

import re
from collections.abc import Mapping
from typing import Any

SENTENCES: dict[str, str] = {
    "connecting": "Connecting to {detail}.",
    "handshake": "Connected; subscribing and authorizing.",
    "mining": "Mining on {detail}.",
    "waiting": "Waiting[: {detail}].",
    "new_block": "New block[ at height {height}]: job {job_id}, share difficulty {difficulty}.",
    "new_job": "New job {job_id}, share difficulty {difficulty}.",
    "share_accepted": "Share accepted, difficulty {difficulty}[, answered in {latency_ms} ms][: solves BLOCK {block}].",
    "share_rejected": "Share[ of {worker_name}] rejected: {reason}[ (difficulty {difficulty})].",
    "share_stale": "Share[ of {worker_name}] stale: {reason}.",
    "share_lost": "Share[ of {worker_name}] lost: {reason}.",
    "block_lost": "A block was lost[: {reason}].",
    "block_handed_back": "A block of the last run is handed back to its pool: {hash}.",
    "hardware_error": "{device} computed wrongly: {reason}.",
    "kernel_chosen": "Kernel: {reason}[; threads: {threads}].",
    "process_frozen": "This process did not run for {seconds} s (it was stopped, or the machine slept); rates leave "
    "that time out.",
    "hash_rate_doubtful": "The hash rate may not be reached: {reason}.",
    "kernel_self_test_failed": "The kernel {kernel} failed its self-test.",
    "pool_chosen": "Mining goes on at {pool}[: {reason}].",
    "no_pool": "No pool is up[: {reason}].",
    "pool_unreachable": "The pool cannot be reached: {reason}[; next try in {retry_in_s} s].",
    "connection_ended": "The connection ended: {reason}[; next try in {retry_in_s} s].",
    "worker_refused": "The pool {pool} refuses the worker[: {reason}][; next try in {retry_in_s} s].",
    "login_refused": "The pool refuses the worker {worker}: {reason}[; its shares go under {instead}].",
    "session_resumed": "The pool resumed our session[; {resubmitted} shares sent again].",
    "reconnect_followed": "The pool sends us[ to {host}][:{port}] and we follow.",
    "reconnect_refused": "The pool sends us to {host}:{port}; refused: {reason}.",
    "pool_message": "The pool says: {text}",
    "bad_line": "The pool sent a line that makes no sense: {reason}.",
    "bad_job": "The pool sent a job that makes no sense: {reason}.",
    "job_without_coinbase": "The pool sent a job without its coinbase, which cannot be divided among miners.",
    "unpaired_reply": "The pool answered something that was not asked (id {id})[: {error}].",
    "difficulty_suggested": "Asked the pool for difficulty {difficulty}.",
    "version_bits_form": "The pool took version bits in another form; from now on they go to it in this one: {form}.",
    "handshake_shortened": "The pool hung up or never answered; the next try leaves out {without}.",
    "pool_enabled": "Pool {pool} switched on.",
    "pool_disabled": "Pool {pool} switched off.",
    "pool_added": "Pool {pool} added.",
    "pool_removed": "Pool {pool} removed.",
    "pool_moved": "Pool {pool} moved to place {place}.",
    "pool_changed": "Pool {pool} has other settings.",
    "figures_zeroed": (
        "A tool had cgminer's API count anew, after {accepted} accepted, {rejected} rejected and {stale} stale shares, "
        "the best of difficulty {best_share}."
    ),
    "pool_quota": "Pool {pool} has the quota {quota}.",
    "strategy": "Pools are used by {strategy} from now on.",
    "configuration": "Options come from {file}.",
    "configuration_problem": "Configuration: {problem}.",
    "configuration_exposed": "Others on this machine can read passwords in {file}; chmod 600 keeps them out.",
    "configuration_changed": "{what} changed from {before} to {after}.",
    "configuration_takes_a_restart": "{what} is to change from {before} to {after}, which takes a restart.",
    "configuration_unchanged": "The configuration is read again; nothing changed.",
    "configuration_refused": "The configuration is refused and nothing changed: {problem}.",
    "shares_rare": "{text}[; {hint}].",
    "journal_damaged": "The share journal {file} has {lines} damaged lines, which do not count.",
    "journal_unclean": (
        "The last run that wrote the share journal {file} did not end it: records of its last 100 ms may be missing."
    ),
    "journal_failed": "Cannot write the share journal {file}: {reason}; {hint}.",
    "journal_recovered": (
        "The share journal {file} is written again[; {missing} records are missing, the totals count them]."
    ),
    "journal_incomplete": "The share journal {file} lacks the last {records} records: {reason}.",
    "blocks_recovered": (
        "The chain in {directory} was not written at the end of the last run; of its blocks it is made again up to "
        "height {height}, from {before}."
    ),
    "log_file_failed": "Cannot write the log file {file}: {reason}; {hint}.",
    "log_file_recovered": "The log file {file} is written again; {missing} lines are missing.",
    "no_device_found": "No mining device is recognised[; name one of {to_be_named} if it is one]: {hint}.",
    "too_many_devices": "More than {most} devices were here; {ignored} is left alone.",
    "device_awaited": "{device}: {reason}; waiting for it.",
    "device_started": "{device} is at {path}.",
    "device_mining": "{device} mines[ at {frequency} MHz]; chips: {chips}.",
    "device_state": "{device} is {state}[: {reason}].",
    "device_gone": "{device} is gone[: {reason}].",
    "device_unavailable": "{device} cannot be had: {reason}[; next try in {again_in_s} s].",
    "device_off": "{device} stays off: {reason}[; {hint}].",
    "device_defect": "The driver of {device} has a defect; the others go on.",
    "device_underfed": "{device} has to wait for work: {reason}.",
    "device_sick": "{device} is sick: {reason}.",
    "device_hot": "{device} is hot: {reason}.",
    "device_slowed": "{device} slows down to {frequency} MHz: {reason}.",
    "device_tripped": "{device} is switched off: {reason}.",
    "power_fault": "{device} was {reason}: {hint}.",
    "power_down_failed": "{device} could not be powered down: {reason}.",
    "http": "Page and API at {address}[; the token for changes is in {token}].",
    "cgminer_api": "cgminer's API at {address}.",
    "axeos_api": "AxeOS's API at {address}[; the token for changes is in {token}].",
    "stopping": "Stopping: {hint}.",
    "paused": "Paused[ {by}][: {reason}].",
    "resumed": "Mining again[: {reason}].",
    "unknown_method": "The rule {rule} is about a method that is not known: {method}[; {hint}].",
    "hook_failed": "The hook for {kind} failed: {reason}.",
    "hooks_too_slow": "Hooks are too slow: one for {kind} was not called.",
    "nothing_to_watch": "{text}.",
    "economics": "{line}",
    "ready": "Listening at {url}.",
    "upstream": "The pool's connection: {state}[: {detail}].",
    "upstream_lost": "No pool gives work ({reason}); {miners} miners wait.",
    "extranonce_divided": "The pool's {upstream_bytes} bytes of extranonce2 are divided among up to {room} miners.",
    "miner_connected": "A miner connected from {address}.",
    "miner_left": "The miner from {address} left: {reason}; {accepted} shares accepted.",
    "worker_authorized": "Worker {worker_name} joined[ ({user_agent})].",
    "share_answered_late": "The pool answered a share after its miner was told that it is lost: {fate}.",
    "not_loopback": "Listening at {listen}: {text}.",
    "accept_failed": "Connections to {address} cannot be accepted for now: {error}. It is tried every {retry_in_s} s.",
    "block_submit_failed": "A block could not be given to the node yet: {error}.",
    "block_not_taken_back": "The node does not build on a block of ours that it took before, {hash}: {reason}.",
    "block_undelivered": "A block waits until the node can take it: {explanation}[; {hash}].",
    "blocks_given_back": "The node had lost blocks of ours and got {blocks} of them again: {first} to {last}.",
    "capture_cut": "{file}: {reason}.",
    "changed_over_http": "Changed over HTTP: {request}.",
    "client_connected": "A miner connected from {address}.",
    "client_failed": "The session of {address} ended by a defect of ours.",
    "client_left": "The miner from {address} left: {reason}; {accepted} shares accepted, {rejected} refused.",
    "connection_failed": "Connection {connection} ended by a defect of ours.",
    "connection_over": "Connection {connection} is over.",
    "cgminer_failed": "A defect of ours while answering a request to cgminer's API: {error}.",
    "connection_cut": "Connection {connection} is cut: {reason}.",
    "connection_refused": "A connection[ from {address}] is refused: {reason}.",
    "engines_not_told": "{device} does not tell its engines: expected {expected}, got {got}.",
    "failed": "Not met: {threshold}.",
    "http_failed": "A defect of ours while answering {request}: {error}.",
    "lines_left_out": "In the last {seconds} s {lines} more lines of the kind {kind} were left out.",
    "listener_failed": "Nobody can ask there any more: {error}.",
    "miners_turned_away": "Miners that come are turned away for now, for nothing can be opened to the pool: {error}.",
    "misbehaving": "Misbehaving on purpose: {faults}.",
    "node_failed": "Waiting for the node: {error}.",
    "node_recovered": "The node gives work.",
    "page_written": "Wrote {path}.",
    "pool_listening": "Listening at {addresses}.",
    "pool_stopped": "Stopped; blocks: {blocks}, miners: {sessions}.",
    "pool_stopping": "Stopping; miners: {sessions}, blocks that the node has not answered: {unanswered_blocks}.",
    "port_missing": "No port for {role}: {reason}; {hint}.",
    "proxy_stopping": "Stopping; miners: {miners}, shares that the pool has not answered: {open_shares}.",
    "recorded": "Recorded {lines} lines of {connections} connections in {file}.",
    "recording_stopped": "Recording stopped: {error}.",
    "sensors_silent": "Sensors do not answer: {reason}.",
    "thread_not_settled": "Search thread {thread} does not stay on its processor: {reason}.",
    "upstream_added": "Another connection to the pool; there are {connections} now.",
    "upstream_refused": "The pool refuses a further connection: {reason}.",
    "upstream_removed": "A connection to the pool less; {connections} now.",
}

_PART = re.compile(r"\[([^\]]*)\]")
_FIELD = re.compile(r"\{(\w+)\}")


def sentence(name: str, fields: Mapping[str, Any]) -> str:
    """The event in words."""
    template = SENTENCES.get(name)
    if template is None:
        return _plain(name, fields)
    told = {key: value for key, value in fields.items() if value != ""}
    text = _PART.sub(lambda part: part[1] if _has_all(part[1], told) else "", template)
    if not _has_all(text, fields):
        return _plain(name, fields)
    words = _FIELD.sub(lambda match: _shown(fields[match[1]]), text)
    return words.replace("..", ".") if words.endswith("..") else words


def _has_all(text: str, fields: Mapping[str, Any]) -> bool:
    return all(name in fields for name in _FIELD.findall(text))


def _plain(name: str, fields: Mapping[str, Any]) -> str:
    words = name.replace("_", " ")
    told = ", ".join(f"{key.replace('_', ' ')} {_shown(value)}" for key, value in fields.items())
    return f"{words[:1].upper()}{words[1:]}{': ' if told else ''}{told}"


def _shown(value: Any) -> str:
    return ", ".join(_shown(item) for item in value) if isinstance(value, list | tuple) else str(value)
