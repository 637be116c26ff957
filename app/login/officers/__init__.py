"""Officers: their accounts, how they log in, and the sessions they hold. Citizens know nothing of it."""
