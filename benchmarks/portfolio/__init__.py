"""First points for a search, mined from trials on data that nothing is judged by."""
