"""Between Stratum's messages and work: a ``mining.notify`` made into a job, and a share made into a ``mining.submit``.

It stands above ``stratum``, which knows no jobs, and ``work``, which knows no protocol.
"""

from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.work.job import CoinbaseBody, Job, Origin
from stratum_miner.work.share import Share


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


def submit_of(
    share: Share, worker_name: str, *, mask: int | None = None, version_rolling: bool = False, differences: bool = False
) -> Submit:
    """The ``mining.submit`` of a share.

    Where versions are rolled the submit has the version's bits inside ``mask``, which is the job's own unless the pool
    has changed it since: as they stand in the header (BIP 310), or with ``differences`` as they differ from those of
    the job's version. ``version_rolling``: the pool agreed to it, if only after the job came.
    """
    job = share.job
    mask = job.version_mask if mask is None else mask
    bits = (share.version ^ job.version if differences else share.version) & mask
    has_bits = version_rolling or job.version_rolling
    return Submit(worker_name, job.job_id, share.extranonce2, share.ntime, share.nonce, bits if has_bits else None)
