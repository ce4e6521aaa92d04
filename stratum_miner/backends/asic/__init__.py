"""The backend for USB mining devices: frames, chips, boards, and the tasks that feed, watch and protect a device."""
