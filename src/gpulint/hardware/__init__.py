"""What is known of GPUs, MIG profiles, cloud instance types and node labels, and how to look it up."""
