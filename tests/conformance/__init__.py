"""The stand-in server against recordings of a real one, and against the real one's own description."""
