"""Measure what hostile sign-ins cost other requests: `python -m tests.benchmarks.sign_ins`."""
