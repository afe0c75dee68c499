"""What a workflow does next: plain functions over its state and what is known of its pods, without I/O."""
