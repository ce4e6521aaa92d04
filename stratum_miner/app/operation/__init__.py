"""What an unattended miner needs: hooks, automatic pauses with their sensors, and messages to the service manager."""
