"""The four levels of a program, from tensor operators to placed crossbars, and the file it is kept in."""
