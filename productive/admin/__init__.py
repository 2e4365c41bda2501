"""The admin site, its theme, and base classes; imports no app."""
