"""Figures as values, drawn twice: as text for a terminal and as SVG for a page. Knows nothing of what they show.

No library draws both, and those that draw pages put megabytes of script into each; these need none.
"""
