"""What officers see once they are logged in: pages and the same as JSON, one folder for each of their rooms."""
