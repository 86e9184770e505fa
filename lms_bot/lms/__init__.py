"""Reading: somebody else's database, as a guest."""
