"""Citizens' rights over their data (law 27/2022): a copy, correction, deletion, restriction; asked for and followed."""
