"""Social aid: what a household receives and why, proposing one, objecting, and the certificate of its decile."""
