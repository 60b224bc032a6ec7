"""What happened, as text, JSON, JUnit XML and one HTML page."""
