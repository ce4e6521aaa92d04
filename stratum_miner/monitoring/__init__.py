"""What others may see of a running miner, over HTTP; it reads frozen snapshots and changes nothing."""
