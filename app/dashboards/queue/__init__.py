"""An agency's own cases: the queue, a case with all that belongs to it, and what officers do there."""
