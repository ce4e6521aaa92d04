"""The CPU backend: C kernels reached through cffi, and the threads that run them."""
