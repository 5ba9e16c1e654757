"""Frames become immutable arrays here: the network, the joins to it, the facilities and the residential cells."""
