"""Numbers and bytes of Bitcoin: hashes, targets, merkle trees, headers, coinbases, addresses. Standard library only."""
