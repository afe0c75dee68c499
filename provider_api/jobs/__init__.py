"""Jobs: starting, reading, stopping, delivering. The one place that translates Argo's words into Ocean's."""
