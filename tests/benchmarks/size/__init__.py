"""Measure the same requests in organizations of very different sizes, side by side.

`make size` measures; the test here only checks that it works.
"""
