"""The backend for USB mining devices. It has the frames of their serial protocols, the chips, the boards, and the tasks
that feed, watch and protect a device."""
