"""Bitcoin's data formats: hashes, targets, merkle trees, headers, coinbases, addresses. Uses only the standard
library."""
