"""How the bundled models are made; nothing at run time imports this folder (it needs the extra ``train``)."""
