from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "productive.accounts"
    label = "accounts"
    verbose_name = "People and access"
