"""Scores transactions as they stream and leaves a receipt for each."""
