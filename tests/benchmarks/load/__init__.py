"""Sustained load: a real server, a mixture of reads and writes, and every answer checked.

`python -m tests.benchmarks.load sqlite` or `… postgresql` measures; the test here only sees that it works.
"""
