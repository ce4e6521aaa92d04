"""Uses several pools as one: chooses the pool to mine on, lets the caller change the pools, and reports on them."""
