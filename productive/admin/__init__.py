"""Extensions of Django's admin: theme, site, and base classes. They don't import any app."""
