"""Load a real server with a mix of reads and writes, and check every response.

`python -m tests.benchmarks.load sqlite` or `… postgresql` measures; the test here only checks that it works.
"""
