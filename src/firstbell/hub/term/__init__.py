"""How much the course was used over the term, as plots and tables."""
