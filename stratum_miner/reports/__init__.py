"""Reports of load tests, conformance checks and profit scenarios, as text for a terminal and as one HTML page."""
