"""Tests of the connection's form and of what Airflow discovers."""
