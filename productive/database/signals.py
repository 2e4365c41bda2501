"""Signals about changes. Receivers run in the same transaction."""

from django.dispatch import Signal

# Sent when records change, and when a repeated request returns the response to an earlier change.
# Arguments: `organizations`, the ids of their organizations.
changed = Signal()
# Sent when a backup has replaced the database. Arguments: `organizations`, the ids of all organizations.
restored = Signal()
