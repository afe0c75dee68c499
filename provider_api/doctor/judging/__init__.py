"""Facts to lines. Plain functions over values, without I/O; each module begins with the kinds of lines it makes."""
