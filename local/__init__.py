"""What stands in for AWS on one machine. A development tool: everything here listens on loopback only."""
