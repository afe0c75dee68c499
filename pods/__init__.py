"""What runs in the pods: configuration, the algorithm's start script, publishing; and the job spec they work from."""
