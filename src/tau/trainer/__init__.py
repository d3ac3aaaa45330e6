"""The trainer: drives an algorithm over the queue, and shows how far it is."""
