"""Cost at any size: the same requests to organizations of very different sizes, beside one another.

`make size` measures; the test here only sees that it works.
"""
