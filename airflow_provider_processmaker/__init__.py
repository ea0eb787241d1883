"""Apache Airflow provider for ProcessMaker."""

from __future__ import annotations

__version__ = "0.1.0"
