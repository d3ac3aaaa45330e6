"""What runs came to, read from the store and written for people and programs."""
