"""Serve the application's URLs and the same resources by each contender.

The roots have the same length, so that documents differ only by the root in their links.
"""

from django.urls import include, path

from productive.urls import handler400, handler403, handler404, handler500
from productive.urls import urlpatterns as our_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

ROOTS = {"ours": "/api/v2/", "hand": "/api/hw/", "stock": "/api/st/"}

urlpatterns = [
    path("api/hw/", include("tests.benchmarks.by_hand")),
    path("api/st/", include("tests.benchmarks.stock")),
    *our_urlpatterns,
]
