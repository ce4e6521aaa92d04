"""The program around the library, without a command line: what a process, its settings and its services are."""
