"""The status screen that ``mine`` and ``top`` show on a terminal. It is drawn only from views of miners."""
