"""One file per method. The file name is the registration."""
