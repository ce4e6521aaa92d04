"""What the operating system and the web give us, with limits: connections that are accepted, answers that are fetched.

Nothing here knows Stratum, mining or a command.
"""
