"""The benchmarks that run in turns. Each module has one function ``opened``."""
