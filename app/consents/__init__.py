"""What citizens agreed to: for which purpose, in which version of its words, since when, and until when."""
