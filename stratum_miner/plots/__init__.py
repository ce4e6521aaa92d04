"""Charts as values, drawn as text for a terminal and as SVG for a web page. The package must not know what they show.

No library draws both forms, and libraries for web pages add megabytes of script to each page. These charts need none.
"""
