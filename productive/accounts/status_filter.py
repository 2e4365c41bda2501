from django.db.models import Q

from productive.jsonapi.filters import ChoiceFilter


class StatusFilter(ChoiceFilter):
    """Filter records that can be archived; for each of them the wire has the same two numbers."""

    def __init__(self) -> None:
        super().__init__({"1": ("active", Q(archived_at=None)), "2": ("archived", ~Q(archived_at=None))})
