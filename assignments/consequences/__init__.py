"""What a change means for access: who may track before and after it.

- `affected_services`: the services whose access written rows may affect
- `comparison`: everything that a change affects, for previews and dry runs
- `write_effects`: who loses access by one write, with few queries, for every write of the API

`admin_consequences` and `api_consequences` show them.
"""
