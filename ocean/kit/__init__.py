"""Small mechanisms that every part needs and no library has just so."""
