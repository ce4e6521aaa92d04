"""Converts a ``mining.notify`` message into a job, and a share into a ``mining.submit`` message.

This module connects two packages that must not import each other: ``stratum`` (messages) and ``work`` (jobs and
shares).
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
    """Return the job that a ``mining.notify`` message announces, with the given settings of its session.

    ``extranonce1`` is the value that the pool sent, and ``extranonce2_size`` is in bytes. ``share_target`` is the
    largest hash that is a share. ``received_at`` is in seconds of the caller's clock. If the parameter ``clean_jobs``
    is not None, it replaces the value in the message. Raises ValueError if a target or a size is not valid.
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
    """Return the ``mining.submit`` message for a share.

    With version rolling, the message contains the bits of the share's version that are in ``mask``, as BIP 310
    requires. With ``differences``, the message contains instead those bits of ``mask`` in which the share's version
    differs from the job's version.

    ``mask`` is the version mask that is in force now; None: the version mask of the job. ``version_rolling`` must be
    true if the pool granted version rolling after the job had arrived. If the grant came before the job,
    ``Job.version_rolling`` is true, and ``version_rolling`` is not needed.
    """
    job = share.job
    mask = job.version_mask if mask is None else mask
    bits = (share.version ^ job.version if differences else share.version) & mask
    has_bits = version_rolling or job.version_rolling
    return Submit(worker_name, job.job_id, share.extranonce2, share.ntime, share.nonce, bits if has_bits else None)
