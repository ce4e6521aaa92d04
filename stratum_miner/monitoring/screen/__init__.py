"""The status screen: what ``mine`` shows on a terminal and ``top`` shows of running miners; drawn from views alone."""
