"""A random load on a whole Swift, what must have become of it, and whether the disks agree."""
