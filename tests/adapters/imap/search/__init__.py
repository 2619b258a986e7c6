"""Searches and sorts."""
