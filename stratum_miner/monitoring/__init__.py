"""Observes and controls a running miner. There is one view of its state, which all displays show, and one interface for
changes.

``monitor`` builds the ``view`` from snapshots and events of the miner. The displays are ``screen`` (terminal), ``http``
with ``web`` (JSON API, metrics, web page), ``cgminer`` and ``axeos`` (APIs of other mining programs). Every change that
a display makes goes through ``control``.
"""
