"""What a miner says that behaves badly."""

from random import Random

from stratum_miner.faults.conduct import forged_subscribe


def test_a_forged_resume_is_anyones_or_a_strangers_session() -> None:
    assert forged_subscribe("ua/1", Random(1)) == forged_subscribe("ua/1", Random(1))
    assert forged_subscribe("ua/1", Random(1)) != forged_subscribe("ua/1", Random(2))
    assert forged_subscribe("ua/1", Random(1), "abc").session_id == "abc"
