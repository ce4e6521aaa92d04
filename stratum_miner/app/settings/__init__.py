"""Settings in force: options, environment and file, read, laid over each other, checked and made into values."""
