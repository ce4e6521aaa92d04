"""A job made of what Stratum announced: ``mining.notify`` and the settings of its session.

It stands above ``stratum``, which knows no jobs, and ``work``, which knows no protocol.
"""

from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.work.job import CoinbaseBody, Job, Origin


def job_of(
    notify: Notify,
    origin: Origin,
    *,
    extranonce1: bytes,
    extranonce2_size: int,
    share_target: int,
    version_mask: int = 0,
    version_rolling: bool = False,
    clean_jobs: bool | None = None,
    received_at: float = 0.0,
) -> Job:
    """A job under the settings that are in force for it; ``clean_jobs`` is the notify's own unless given.

    Raises ValueError when a target or a size cannot be one.
    """
    return Job(
        origin=origin,
        job_id=notify.job_id,
        previous_hash=notify.previous_hash,
        body=CoinbaseBody(
            prefix=notify.coinbase_prefix,
            suffix=notify.coinbase_suffix,
            branch=notify.merkle_branch,
            extranonce1=extranonce1,
            extranonce2_size=extranonce2_size,
        ),
        version=notify.version,
        nbits=notify.nbits,
        ntime=notify.ntime,
        clean_jobs=notify.clean_jobs if clean_jobs is None else clean_jobs,
        share_target=share_target,
        version_mask=version_mask,
        version_rolling=version_rolling,
        received_at=received_at,
    )
