"""Charts, drawn as text for a terminal and as SVG for a web page. The package does not depend on what a chart shows.

No library draws both forms, and libraries for web pages add megabytes of script to each page. These charts need no
script.
"""
