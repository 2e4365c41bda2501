"""A name at the top of a module means one thing in the whole product: see CONTRIBUTING.md."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("assignments", "catalog", "productive")
# Names that Django or Python expects in several modules.
CONVENTIONAL = {"Command", "T", "__all__", "logger", "register", "router", "urlpatterns"}


def defined_names(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                for target in targets:
                    yield from (
                        each.id
                        for each in ast.walk(target)
                        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                    )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def test_a_name_is_defined_in_one_module() -> None:
    modules = defaultdict(set)
    for path in (
        path for part in PARTS for path in (ROOT / part).rglob("*.py") if "migrations" not in path.parts
    ):
        for name in defined_names(ast.parse(path.read_text())):
            modules[name].add(str(path.relative_to(ROOT)))
    assert len(modules) > 1_000
    shared = {name: sorted(paths) for name, paths in modules.items() if len(paths) > 1}
    assert [f"{n} {p}" for n, p in shared.items() if n not in CONVENTIONAL] == []
    assert {*shared} >= CONVENTIONAL
