"""From readings to messages: what is published, and when."""
