"""A WhatsApp gateway: text messages to citizens, one-time codes among them."""
