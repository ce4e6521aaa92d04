"""What a user decides, from wherever it comes: one TOML file, the environment, the command line, in one order.

Must not know commands, miners or clocks: tables are described by annotated dataclasses (``keys``), read from text with
the line of each key (``document``), laid over each other (``layers``), and every mistake is a ``Problem`` that says
where it is, what was expected and what came.
"""
