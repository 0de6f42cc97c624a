"""The reference world: roads, traffic and truth from highway-env, seen through a drawn camera."""
