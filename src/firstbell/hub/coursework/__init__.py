"""The hub's face of the coursework: its pages, its commands' answers, and the service that does what is due."""
