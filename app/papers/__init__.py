"""What an agency issued: an extract of it on paper, and the page that shows whether it is genuine."""
