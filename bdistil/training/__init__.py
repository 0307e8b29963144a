"""Training networks: the epoch loop with its checkpoint, and teachers on labels."""
