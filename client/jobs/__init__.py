"""The life of a job, as its consumer sees it: bought, started, followed, its results fetched and verified."""
