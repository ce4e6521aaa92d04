"""Several pools as one: which of them is mined on, how they are arranged, and what is to be seen of them."""
