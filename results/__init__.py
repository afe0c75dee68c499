"""Results in their stores: folder, S3 or IPFS; how they are sealed, listed, streamed and removed."""
