"""How fast a bundle answers on this machine, and the setting that serves it best."""
