"""The only way out to an agency's system: one time budget per call, size cap, correlation id, concurrency limit.

Says what is known of a call's effect: AgencyUnavailable (none), OutcomeUnknown (perhaps). What an answer means is
its integration's business.
"""
