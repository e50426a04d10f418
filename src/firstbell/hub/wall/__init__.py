"""Who is there, live, for staff, and what staff can do for them."""
