"""Looking for the scenes in which a driver fails: in the learned world, checked in the reference world."""
