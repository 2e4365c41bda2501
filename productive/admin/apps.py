from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    """Django's admin, with the project's own site."""

    default_site = "productive.admin.site.Site"
