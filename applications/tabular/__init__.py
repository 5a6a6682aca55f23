"""Tasks on tables of any field."""
