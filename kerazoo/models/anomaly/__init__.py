"""Detectors of anomalies, in windows of series and in rows of tables: one file a family."""
