"""Test that the code that handles requests filters by organization."""

from __future__ import annotations

import ast

import pytest

from tests.support.servers import ROOT

pytestmark = pytest.mark.no_cover

MANAGERS = {"objects", "_default_manager", "_base_manager"}
# Modules that handle requests. Others get rows or ids from these.
REQUEST_MODULES = {"views", "serializers", "filters", "urls", "authentication", "api_consequences"} | {
    *("tracking_filters", "status_filter", "admin", "admin_filters", "owned_admin", "spreadsheets"),
    *("user_admin", "access_check", "clean_up", "dashboard", "look_alikes"),
}
# All modules of these do.
ALL_MODULES = {"productive/jsonapi", "assignments/board"}
# Querysets that aren't filtered by organization at once, because:
EXPLAINED = {
    # the queryset is narrowed by `RelatedField.get_queryset`
    ("productive/jsonapi/serializers.py", "relation_info.related_model._default_manager.all"),
    # these use ids of rows that were found before, or a condition on them
    ("productive/jsonapi/documents.py", "relation.through._default_manager.filter"),
    ("productive/jsonapi/filters.py", "self.model._base_manager.filter"),
    ("catalog/filters.py", "Deal.objects.of_companies"),
    ("assignments/board/boards.py", "ProjectAssignment.objects.filter"),
    ("assignments/board/boards.py", "ServiceAssignment.objects.filter"),
    ("assignments/board/cells.py", "Service.objects.filter"),
    ("assignments/board/cells.py", "model.objects.filter"),
    ("assignments/board/pages.py", "self.board.pair.objects.filter"),
    ("assignments/board/rows.py", "ServiceTypeAssignment.objects.filter"),
    # the secret determines the organization
    ("productive/accounts/authentication.py", "ApiToken.objects.filter"),
    # the organizations of the user, or all for superusers
    ("productive/accounts/owned_admin.py", "Organization.objects.of"),
    ("productive/accounts/owned_admin.py", "Organization.objects.all"),
    ("productive/accounts/owned_admin.py", "Organization.objects.count"),
    # the users of people of one organization, and their tokens for it
    ("productive/accounts/admin.py", "User.objects.in_bulk"),
    ("productive/accounts/admin.py", "ApiToken.objects.filter"),
    # a user's other organizations and permissions
    ("productive/accounts/user_admin.py", "Organization.objects.exclude"),
    ("productive/accounts/user_admin.py", "Permission.objects.filter"),
}


def test_modules_that_handle_requests_use_owned_by() -> None:
    found = set()
    packages = ("productive/jsonapi", "productive/accounts", "catalog", "assignments", "assignments/board")
    for package in packages:
        for module in sorted((ROOT / package).glob("*.py")):
            if package not in ALL_MODULES and module.stem not in REQUEST_MODULES:
                continue
            for node in ast.walk(ast.parse(module.read_text())):
                match node:
                    case ast.Attribute(value=ast.Attribute(attr=manager)) if manager in MANAGERS:
                        if node.attr not in ("owned_by", "owned_by_any"):
                            found.add((f"{package}/{module.name}", ast.unparse(node)))
    assert found == EXPLAINED
