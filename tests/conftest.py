"""Shared by all tests: a quiet TensorFlow with two logical CPU devices and two threads a process."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
