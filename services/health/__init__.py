"""Queue tickets at puskesmas and hospitals, from the systems they run, and membership of the health insurance."""
