"""Figures of cases: counted from their events by a job, exact, by week and month; and the survey's results."""
