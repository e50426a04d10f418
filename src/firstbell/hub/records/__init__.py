"""The one record of who did what, each entry chained to the last, and what is written into it."""
