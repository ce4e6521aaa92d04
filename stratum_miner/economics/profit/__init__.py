"""What mining earns on the user's terms: machines, scenarios and their results, and what a run earns meanwhile."""
