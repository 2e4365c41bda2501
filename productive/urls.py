"""URLs of the admin and of the API. `web.health` serves the health checks."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from assignments.access_check import access_check
from assignments.board.pages import board_urls
from assignments.clean_up import clean_up
from productive.jsonapi.errors import error_handler
from productive.jsonapi.schema.views import DocumentView, SwaggerView
from productive.jsonapi.views import UnknownRoute

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/access-check/", admin.site.admin_view(access_check), name="access_check"),
    *board_urls(),
    path("admin/clean-up/", admin.site.admin_view(clean_up), name="clean_up"),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=static("productive/favicon.svg"))),
    path("api/v2/openapi.json", DocumentView.as_view(), name="openapi"),
    path("api/v2/docs", SwaggerView.as_view(), name="docs"),
    path("api/v2/", include("productive.accounts.urls")),
    path("api/v2/", include("catalog.urls")),
    path("api/v2/", include("assignments.urls")),
    re_path(r"^api(/|$)", UnknownRoute.as_view()),
]

handler400 = error_handler(400)
handler403 = error_handler(403)
handler404 = error_handler(404)
handler500 = error_handler(500)
