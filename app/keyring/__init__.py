"""Which keys what is stored stands under."""
