"""What tests import, ours and other people's: fakes that obey the contracts, witnesses that share no code with us."""
