"""The CPU backend: kernels (C functions that search nonces), which are called through cffi, and the threads that call
them."""
