"""Signals about what is written. Receivers run within the transaction that writes."""

from django.dispatch import Signal

# Records of the organizations with these ids were changed, or a repeated request returns an earlier change of
# theirs. Arguments: `organizations`.
changed = Signal()
# The whole database was replaced by a backup. Arguments: `organizations`, all that there are now.
restored = Signal()
