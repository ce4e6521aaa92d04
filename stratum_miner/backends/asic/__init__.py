"""USB mining hardware: frames, chips, boards, and the care that keeps a device fed, watched and safe."""
