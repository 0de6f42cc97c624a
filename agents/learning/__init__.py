"""How policies learn: from recorded drives, inside the learned world, or in the reference world."""
