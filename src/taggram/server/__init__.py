"""The REST server and its page: a thin layer of HTTP above the library and the tagger.

    settings    every limit and where things lie
    app         puts it all together; `resources/` has one file per resource
    schemas     what goes over the wire; `problems` is how errors do
    guard       who may ask what: hosts, origins, token, sizes, headers
    jobs        long work: kept in the server's own database, run in worker processes (`tasks/`)

Conventions over the wire: JSON in snake_case, times in seconds, moments as RFC 3339 in UTC, scores in [0, 1];
arrays are base64 of little-endian values, row by row.
"""

PREFIX = "/api/v1"
"""Below this path lies the interface of this version."""
