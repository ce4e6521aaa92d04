"""Observe and control a running miner: one frozen view of its state, all displays of that view, and one control
interface.

``monitor`` builds the ``view`` from snapshots and events of the miner. The displays are ``screen`` (terminal), ``http``
with ``web`` (JSON API, metrics, web page), ``cgminer`` and ``axeos`` (APIs of other mining programs). Every change that
a display makes goes through ``control``.
"""
