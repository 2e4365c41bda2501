"""Serve the product's URLs and, beside them, the same resources by each contender.

The roots are of one length, so that the same document has the same bytes but for the root in its links.
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
