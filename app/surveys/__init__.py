"""The citizens' satisfaction survey (SKM) of Permen PANRB 14/2017: nine questions about a case that has ended."""
