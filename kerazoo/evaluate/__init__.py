"""Evaluation: the field's metrics, baselines, charts and the report of a run. Knows no model."""
