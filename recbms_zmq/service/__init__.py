"""The service: one pipeline for each BMS, the fleet, start and shutdown, counters on disk."""
