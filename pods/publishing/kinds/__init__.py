"""What each kind of file looks like, for `pods.publishing.content`."""
