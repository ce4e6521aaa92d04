"""What backends claim to have found: hashed again, and no point counted twice."""

from collections import OrderedDict
from collections.abc import Collection
from weakref import ref

import structlog

from stratum_miner.work.share import BelowTarget, InvalidNonce, Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit

log = structlog.get_logger(__name__)

MAX_SEEN = 65536
"""Headers remembered, but for their versions, to catch a backend that reports a point twice."""


class NonceVerifier:
    """Checks what backends report.

    ``submitted_earlier``: headers of shares that earlier runs found; nobody is to submit them again.
    """

    def __init__(self, submitted_earlier: Collection[bytes] = frozenset()) -> None:
        self.below_target = 0
        self.withheld = 0
        """Shares that are not submitted, because the pool has them, or would say so."""
        self.share_hits = 0
        """Distinct hashes that meet the share target of their job."""
        self._submitted_earlier = submitted_earlier
        self._seen: OrderedDict[tuple[int, bytes], tuple[int, ref[WorkUnit]]] = OrderedDict()
        """What was found, and of which unit. A unit that nobody has any more goes with its job, which may be large."""

    def judge(self, found: NonceFound, backend: str, worker_name: str) -> Share | str | None:
        """A share that is to be submitted; or what shows, in words, that the device computes wrongly; else None.

        ``backend`` and ``worker_name`` are what the share bears.
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
                return "the same point reported twice"
            # no fault of the device: it was given the point twice
            self._withhold(share, "its point was searched before")
            return None
        if version is not None and not share.is_block:
            # NOMP and its heirs leave the version out of their duplicate check and would reject it. At difficulty 1
            # and 32 versions that is one share in 140 million
            self.share_hits += share.meets_share_target
            self._withhold(share, "its nonce was submitted in another version")
            return None
        self.share_hits += share.meets_share_target
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
            self._seen.popitem(last=False)  # a plain dict looks for its first key among all that were deleted
