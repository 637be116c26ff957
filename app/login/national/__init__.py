"""National identity: citizens log in with what the state gave them, and are then surely who they are."""
