"""What the verbs of `khabar` do; ``worker/cli.py`` only names them."""
