"""Forms in which a request is put, one file each. The same code makes an attack and its twin."""
