"""Models on tables: a dict of "numeric" (B, N), float32, and "categories" (B, K), int32, in."""
