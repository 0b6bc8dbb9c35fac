"""Tables, columns, splits."""
