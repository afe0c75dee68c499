"""What publishers do: publish files and algorithms, trust algorithms, look at assets and change them."""
