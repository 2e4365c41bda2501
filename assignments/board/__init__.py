"""Staffing boards: people across, what they are assigned to down, all in one page that is edited as a sheet.

A board shows what the tracking rule decides for every pair. Changes are staged in the page, previewed with
their consequences, and applied as one change set.

- `boards`: the boards; a new one is a declaration
- `cells`: what each cell shows
- `rows`: the people, filtered, grouped and in pages
- `changes`: the staged changes, as an operation of the admin
- `matching`: the people whom a pasted text names
- `rendering`: the HTML of the cells
- `exports`: the board as a spreadsheet
- `pages`: the views
"""
