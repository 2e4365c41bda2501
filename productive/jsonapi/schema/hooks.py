"""Complete the document that drf-spectacular generates."""

from __future__ import annotations

from typing import Any

from productive.jsonapi.records import resource_type
from productive.jsonapi.schema.guide import GUIDE
from productive.jsonapi.schema.introspection import first_paragraph
from productive.jsonapi.schema.json_schema import Schema
from productive.jsonapi.serializers import ModelSerializer


def complete_document(result: Schema, **kwargs: Any) -> Schema:
    """Add the guide and the tags; remove the slash at the end of paths."""
    models_by_type = {resource_type(model): model for model in ModelSerializer.by_model}
    tags = [
        {"name": name, "description": first_paragraph(model)}
        for name, model in sorted(models_by_type.items())
    ]
    info = {**result["info"], "description": f"{result['info']['description']}\n\n{GUIDE}"}
    paths = {path.rstrip("/"): operations for path, operations in result["paths"].items()}
    return {**result, "info": info, "tags": tags, "paths": paths}
