"""Searching the keys of a project file for better values: trials on validation records.

The search runs in the process that owns the study; each trial is trained in a worker process.
Only `trial` and `worker` need torch, only `study` needs Optuna.
"""
