"""A whole stock Swift on four loopback nodes, as upstream's SAIO document lays it out."""
