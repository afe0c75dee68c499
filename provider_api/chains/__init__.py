"""The chains that the service works on, the documents of their assets, and whether both are up to date."""
