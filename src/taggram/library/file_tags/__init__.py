"""File tags, written only on request: plan, look, apply, undo.

`containers` reads and writes the tags of any container, `fields` knows what a field is called in each.
`plan` says what would change, in lines that a person can read and edit; `apply` changes the files, each
whole or not at all; `journal` keeps what was changed and how to get it back, which `delta` tells as
pieces of the file as it is now.
"""
