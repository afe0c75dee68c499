"""Endpoints of datasets' files: encrypt, decrypt, describe, order, download."""
