"""Results drawn and told: each as text for a terminal, and as one page of HTML that needs nothing else."""
