"""S3: every request, listing, condition and credential goes through here."""
