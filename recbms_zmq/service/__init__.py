"""The service: one pipeline for each BMS, the fleet, start and shutdown, state on disk."""
