"""Django's admin as this project has it: its look, its site, and what every model's admin does."""
