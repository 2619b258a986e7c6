"""Tests of the port that every adapter must pass."""
