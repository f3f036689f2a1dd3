"""Bytes to values and back: Phoenix framings and the service's two event vocabularies."""
