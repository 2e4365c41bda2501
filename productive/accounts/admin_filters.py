"""List filters of people and API tokens."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from assignments.state_badges import PERSON_STATES
from assignments.tracking_today import TRACKS_NOWHERE, in_person_states
from productive.accounts.tokens import ApiTokenQuerySet
from productive.admin.filters import ChoiceListFilter


class TrackableFilter(ChoiceListFilter):
    """Filter the active people who can't track anywhere today, by reason.

    It annotates the people with `state`.
    """

    title, parameter_name = "can track", "trackable"
    list_titles = {
        "nowhere": "People who can't track anywhere today",
        **{state: f"People who can't track anywhere today: {text}" for state, text in PERSON_STATES.items()},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("nowhere", "Nowhere today"),
            *((state, f"Nowhere: {text}") for state, text in PERSON_STATES.items()),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if not value:
            return queryset
        states = TRACKS_NOWHERE if value == "nowhere" else TRACKS_NOWHERE & {value}
        return in_person_states(queryset, states)


class TokenStateFilter(ChoiceListFilter):
    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("live", "Live"),
            ("expiring", "Live, expires within two weeks"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ]

    def conditions(self, rows: ApiTokenQuerySet) -> dict[str, Any]:
        now = timezone.now()
        return {
            "live": rows.live(now),
            "expiring": rows.expiring(now),
            "expired": rows.filter(expires_at__lte=now, revoked_at=None),
            "revoked": rows.exclude(revoked_at=None),
        }
