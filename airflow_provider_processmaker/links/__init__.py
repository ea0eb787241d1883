"""Links from Airflow to ProcessMaker."""
