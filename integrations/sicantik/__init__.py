"""The backoffice of permit agencies: registrations, their track, and proof of licences."""
