"""The compiler's passes: one file, one typed pure function from program level to program level."""

if __name__ != "rcompile.passes":
    raise ImportError("import rcompile.passes, not passes: the folder at the root is a link to it")
