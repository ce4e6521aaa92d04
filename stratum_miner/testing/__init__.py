"""What other people's tests import: a pytest plugin and its laboratory, contract checks, played peers, a scripted node.

Must import nothing here: every run of pytest in an environment with this package loads ``pytest_plugin``.
"""
