"""Trains, evaluates and publishes model versions."""
