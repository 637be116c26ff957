"""Invitations: one word that lets a new or recovered officer choose a password and take a second proof, once."""

import hashlib
import secrets
from datetime import datetime, timedelta

import msgspec

from app.database import utc_now
from app.login.officers.models import OfficerAccount

INVITATION_S = 3 * 86_400
# Letters and digits that nobody mistakes when they are read out; 20 of them are 99 bits.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 5
LENGTH = _GROUPS * _GROUP


class Invitation(msgspec.Struct, frozen=True):
    """In the clear for whoever hands it over; only its hash is kept."""

    word: str
    expires_at: datetime


def invite(account: OfficerAccount) -> Invitation:
    """A new invitation in place of whatever the account was entered with before."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
    invitation = Invitation(
        "-".join(letters[start : start + _GROUP] for start in range(0, LENGTH, _GROUP)),
        utc_now() + timedelta(seconds=INVITATION_S),
    )
    account.state = "invited"
    account.password_hash, account.totp_enc, account.totp_step = "", None, 0
    account.failed_codes, account.locked_until = 0, None
    account.invitation_hash, account.invited_until = invitation_hash(invitation.word), invitation.expires_at
    return invitation


def invitation_hash(word: str) -> bytes:
    """Of the word however it was typed. 99 random bits need no slow hash."""
    return hashlib.sha256("".join(letter for letter in word.lower() if letter.isalnum()).encode()).digest()
