"""Pages for people: what they say, as plain functions over values, and how it looks (templates, style, one script)."""
