"""The CPU backend: C kernels that are called through cffi, and the threads that run them."""
