"""What other people's tests import: a pytest plugin and its laboratory, checks of a backend, peers and nodes under a
test's control.

Must import nothing here: every run of pytest in an environment with this package loads ``pytest_plugin``.
"""
