"""Coming in: each kind of login, its passwords, codes and seats, and the end of a session."""
