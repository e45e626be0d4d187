"""What happens when a safeguard is taken away: some test must notice."""
