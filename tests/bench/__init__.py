"""The yardstick: Khabar beside the worker somebody would otherwise write, and beside what the machine could do."""
