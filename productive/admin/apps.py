from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    """The app config that replaces the default admin site."""

    default_site = "productive.admin.site.Site"
