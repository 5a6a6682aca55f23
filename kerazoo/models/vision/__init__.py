"""Vision models: RGB pixels in [0, 255], (B, H, W, 3)."""
