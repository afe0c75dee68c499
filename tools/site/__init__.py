"""The documentation site: what MkDocs is told beside mkdocs.yml, and the pictures of the pages."""
