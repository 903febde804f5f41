"""What others are compared with that knows no resource; each file is a function, or a part of one, by itself."""
