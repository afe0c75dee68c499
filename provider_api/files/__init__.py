"""Files of every type as the service sees them: described (fileinfo), hashed (trust), streamed (download)."""
