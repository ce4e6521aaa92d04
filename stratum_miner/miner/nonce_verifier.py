"""Verifies the nonces that backends report: hashes each one again, and finds nonces that were reported twice."""

from collections import OrderedDict
from collections.abc import Collection
from weakref import ref

import structlog

from stratum_miner.work.share import BelowTarget, InvalidNonce, Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit

log = structlog.get_logger(__name__)

MAX_SEEN = 65536
"""Maximum number of headers, without their versions, that are remembered in order to find nonces that were reported
twice."""


class NonceVerifier:
    """Verifies the nonces that backends report.

    ``submitted_earlier``: headers (80 bytes each) of shares that earlier runs found and that must not be submitted
    again.
    """

    def __init__(self, submitted_earlier: Collection[bytes] = frozenset()) -> None:
        self.below_target = 0
        """Number of correct hashes that were not submitted because they missed the share target. A hash that misses the
        share target but solves a block (a weak block) is counted only if it was not submitted."""
        self.withheld = 0
        """Number of shares that were not submitted, because the pool had them already or would call them duplicates."""
        self.shares_found = 0
        """Number of distinct hashes that met the share target of their job."""
        self._submitted_earlier = submitted_earlier
        self._seen: OrderedDict[tuple[int, bytes], tuple[int, ref[WorkUnit]]] = OrderedDict()
        """The newest shares. The key identifies the header of a share without its version. The value is the version and
        a weak reference to the work unit of the share. The reference is weak, so that it does not keep the work unit
        and the unit's job, which may be large, in memory."""

    def judge(self, found: NonceFound, backend: str, worker_name: str) -> Share | str | None:
        """Verify a reported nonce.

        Returns the share to submit, or None if there is nothing to submit. If the device made an error, returns a text
        that describes the error. The share gets the names ``backend`` and ``worker_name``.
        """
        match verify(found, backend=backend, worker_name=worker_name):
            case InvalidNonce() as reason:
                return reason.value
            case BelowTarget():
                self.below_target += 1
                return None
            case Share() as share:
                return self._share(share, found.unit)

    def _share(self, share: Share, unit: WorkUnit) -> Share | str | None:
        version, earlier = self._seen.get(share.dedup_key, (None, None))
        if version == share.version:
            if earlier is not None and unit is earlier():
                return "the same nonce was reported twice"
            # no error of the device: two work units contained this header, so it was searched twice
            self._withhold(share, "its header was searched before")
            return None
        if version is not None and not share.is_block:
            # Do not submit the share: a share that differs from it only in the version was found before. NOMP and the
            # pools derived from it ignore the version in their check for duplicates, so they would reject the second
            # share. At difficulty 1 and with 32 versions, this loses one share in 140 million
            self.shares_found += share.meets_share_target
            self._withhold(share, "its nonce was submitted with another version")
            return None
        self.shares_found += share.meets_share_target
        self._remember(share, unit)
        if share.header in self._submitted_earlier:
            self._withhold(share, "an earlier run submitted it")
            return None
        return share

    def _withhold(self, share: Share, reason: str) -> None:
        self.withheld += 1
        log.debug("share_withheld", reason=reason, nonce=share.nonce)

    def _remember(self, share: Share, unit: WorkUnit) -> None:
        self._seen[share.dedup_key] = share.version, ref(unit)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)  # a plain dict would be slow to find its first key after many deletions
