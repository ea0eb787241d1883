"""Processes, requests and tasks: a small engine in memory that moves tokens through BPMN."""
