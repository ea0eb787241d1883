"""The stand-in server itself, on real sockets."""
