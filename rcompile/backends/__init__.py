"""What executes a mapped program: the reference that defines its meaning, and faster engines."""

if __name__ != "rcompile.backends":
    raise ImportError("import rcompile.backends, not backends: the folder at the root is a link to it")
