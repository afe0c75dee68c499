"""What is made around the project: images, pictures, a cluster to try it on."""
