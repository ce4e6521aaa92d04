"""A chip, a board and an emulated device that do not exist, each in the file that an addition takes."""
