"""The record of who saw whose data, for auditors: searched, verified, handed out; each search is in it too."""
