"""Introduce the API in the OpenAPI document, shorter than docs/api.md."""

from productive.jsonapi.filter_operations import MAX_VALUES
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.renderers import MEDIA_TYPE

GUIDE = f"""\
- **Documents**: requests and responses are [JSON:API](https://jsonapi.org/format/) documents. Send a body as
  `{MEDIA_TYPE}`. A foreign key can be a relationship or an attribute that ends in `_id`.
- **Filters**: `filter[name]=a,b` finds records that match one of up to {MAX_VALUES} values, or of any
  number of ids. `filter[name][operation]=…` compares in another way. Filters are combined with AND.
- **Sorting**: `sort=-id`; a minus means descending.
- **Related records**: `include=` with names of relationships, nested with dots. **Sparse fields**:
  `fields[type]=` with the only attributes and relationships to return.
- **Pages**: {PAGE_SIZE} records, or up to {MAX_PAGE_SIZE} with `page[size]`. `page[number]` returns a total.
  `page[after]` reads a long list to its end: send it empty, then follow `links.next`.
- **Errors**: a document with `errors`. `code` is for programs; `source` names the part of the request that is
  wrong. Unknown parameters and attributes are errors.
- **Caching and conflicts**: send an `ETag` as `If-None-Match` to get 304 if nothing has changed, or as
  `If-Match` to get 412 instead of overwriting another change.
- **Dry runs**: send a write with `dry_run=true` to see its result, and who would gain or lose access. Nothing
  is written.
- **Idempotent requests**: send an `Idempotency-Key` with a POST to repeat it safely for 24 hours.
- **Limits**: after 429 or 503, wait for the number of seconds in `Retry-After`.
"""
