"""Compute PBKDF2 as a program, for `accounts.hashers`: JSON in, hexadecimal digits out."""

import hashlib
import json
import os
import sys

# A tenth of the processor time of other processes that need it at the same time.
NICE = 10

if __name__ == "__main__":
    os.nice(NICE)
    name, password, salt, iterations = json.load(sys.stdin)
    digest = hashlib.pbkdf2_hmac(name, bytes.fromhex(password), bytes.fromhex(salt), iterations)
    sys.stdout.write(digest.hex())
