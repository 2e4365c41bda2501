"""The errors of the API that several tests expect."""

from __future__ import annotations

UNAUTHENTICATED = {
    "status": "401",
    "code": "unauthenticated",
    "title": "Unauthenticated",
    "detail": "You are not authenticated",
}


DENIED = {
    "status": "403",
    "code": "access_denied",
    "title": "Access Denied",
    "detail": "You are not authorized to access this resource",
}
