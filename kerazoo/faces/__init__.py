"""What goes on around a face network: finding faces, aligning them, knowing people again."""
