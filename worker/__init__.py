"""Khabar: a streaming worker that enriches news articles with language, entities and a summary."""

__version__ = "0.1.0"
