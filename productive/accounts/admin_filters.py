"""List filters of people and API tokens."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from assignments.attention import people_who_cannot_track
from productive.accounts.tokens import ApiTokenQuerySet
from productive.admin.filters import ChoiceListFilter


class TrackableFilter(ChoiceListFilter):
    title, parameter_name = "can track", "trackable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("nowhere", "On a project, but can't track anywhere")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        return {"nowhere": people_who_cannot_track(rows)}


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
