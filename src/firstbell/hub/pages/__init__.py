"""What all pages of the hub share."""
