"""Tests of what is installed and run: the wheel, the README's first command."""
