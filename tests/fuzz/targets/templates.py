"""What a node answers to getblocktemplate: checked, limited to times, split into a coinbase, made into a block.

An input is the result of the call. Whatever a template passes the checks, a whole block can be made of.
"""

import msgspec

from stratum_miner.pool.job_factory import JobFactory
from stratum_miner.pool.template import (
    BlockTemplate,
    TemplateError,
    UnsuitableTemplateError,
    assemble_block,
    coinbase_parts,
    template_from_rpc,
    with_tip_time,
)
from tests.fuzz.judge import check_shown

EXTRANONCE_SIZE = 8


def run(data: bytes) -> None:
    try:
        reply = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    before: BlockTemplate | None = None
    for _ in range(2):  # the second time its transactions are known
        try:
            template = template_from_rpc(reply, before)
        except (TemplateError, UnsuitableTemplateError) as error:
            check_shown(str(error), 5000)
            return
        assert before is None or template.same_block(before)
        assert not template.invalidates(template)
        before = template
    _use(template)


def _use(template: BlockTemplate) -> None:
    for age in (0.0, 1.5, 1e6):
        assert 0 <= template.time_at(age) < 1 << 32
    template.seconds_left()
    limited = with_tip_time(template, template.curtime - 1)
    assert limited.maxtime is None or limited.maxtime >= 0
    factory = JobFactory(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=EXTRANONCE_SIZE)
    job = factory.publish(template, 100.0)
    assert job.line.endswith(b"\n")
    prefix, suffix = coinbase_parts(template, payout_script=b"\x51", extranonce_size=EXTRANONCE_SIZE)
    block = assemble_block(template, prefix + bytes(EXTRANONCE_SIZE) + suffix, bytes(80))
    assert len(block) > 80
