"""Many simulated miners against one pool: real connections, truly valid shares, and a loop that measures itself.

``plan`` says what to do, ``pacer`` when, ``miner`` how one of them talks, ``fleet`` moves their bytes, ``metrics``
counts, ``report`` judges, ``cluster`` spreads it over machines. It shares no code with ``client`` and ``pool``.
"""
