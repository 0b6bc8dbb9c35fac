"""What a plugin implements, and the values that pass between plugins and the core."""
