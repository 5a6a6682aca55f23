"""Applications: one readable script a task, from data to an exported model. Run with `kerazoo run TASK`."""
