"""Proof of identity by Dukcapil's element comparison: its codes, verdicts and scores as the port's standings."""

import re
from collections.abc import Mapping
from datetime import date
from typing import get_args

from app.agency_answers import for_officers, matching, text, whole
from app.agency_client import AgencyClient
from app.errors import AgencyRejected, AgencyUnavailable
from app.login.port import Claim, LoginPort, Standing
from app.settings import SettingsError
from integrations.dukcapil.client import DukcapilClient, Row

# The register's codes where it compares nothing. The list is from one public source only; its words go before it.
_CODES: Mapping[int, Standing] = {11: "deceased", 12: "double", 13: "unknown", 14: "inactive", 15: "unknown"}
_WORDS = (
    ("deceased", ("meninggal",)),
    ("double", ("ganda",)),
    ("inactive", ("non aktif|nonaktif|tidak aktif",)),
    ("unknown", ("tidak ditemukan|tidak terdapat|tidak sesuai format",)),
)
_FORMATS = {"dmy": "%d-%m-%Y", "iso": "%Y-%m-%d"}
# "Sesuai (100)", "Tidak Sesuai (59)", or the words alone.
_VERDICT = re.compile(r"(?P<no>tidak )?sesuai(?: ?\((?P<score>[0-9]{1,3})(?:[.,][0-9]+)?\))?", re.IGNORECASE)
_NIK = re.compile(r"[0-9]{16}")


class DukcapilRegister(LoginPort):
    """Asks of NIK, name and birth date alone: what a citizen told us is compared, and nothing more comes back."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._client = DukcapilClient(client)
        settings = client.backend.settings
        self._threshold = _number(self._name, "name_score", settings["name_score"], most=100)
        self._quota = _number(self._name, "daily_quota", settings["daily_quota"], most=10_000_000)
        if settings["date_format"] not in _FORMATS:
            raise SettingsError(f"LOKET_{self._name.upper()}_DATE_FORMAT is one of {', '.join(_FORMATS)}")
        self._date_format = _FORMATS[settings["date_format"]]

    @property
    def daily_quota(self) -> int:
        return self._quota

    async def compare(self, claim: Claim) -> Standing:
        if not _NIK.fullmatch(claim.nik):
            raise AgencyRejected(self._name, "compare", "not 16 digits", code="nik_invalid")
        elements = {"NAMA_LGKP": claim.name.upper(), "TGL_LHR": self._written(claim.birth_date)}
        row, *others = await self._client.compare(claim.nik, elements, self._threshold)
        if others:
            return "double"
        if standing := _without_comparison(row):
            return standing
        agreed = [_is_own_nik(row), *(self._agrees(row, element) for element in elements)]
        return "matched" if all(agreed) else "differs"

    def _written(self, day: date) -> str:
        return day.strftime(self._date_format)

    def _agrees(self, row: Row, element: str) -> bool:
        """Raises AgencyUnavailable where the register says nothing of an element it was asked of."""
        verdict = _VERDICT.fullmatch(" ".join(text(row.get(element)).split()))
        if verdict is None:
            said = f"no verdict on {element}: {for_officers(_words(row))}"
            raise AgencyUnavailable(self._name, "compare", said, code="not_understood")
        score = verdict["score"]
        return verdict["no"] is None and (score is None or int(score) >= self._threshold)


def _is_own_nik(row: Row) -> bool:
    """Some installations compare the NIK as well, and say so; others repeat it, or leave it out."""
    verdict = _VERDICT.fullmatch(" ".join(text(row.get("NIK")).split()))
    return verdict is None or verdict["no"] is None


def _without_comparison(row: Row) -> Standing | None:
    """What the register says of the entry instead of comparing; None where it compared."""
    by_code = _CODES.get(whole(row.get("RESPONSE_CODE")) or 0)
    return next((standing for standing in get_args(Standing) if standing == matching(_words(row), _WORDS)), by_code)


def _words(row: Row) -> str:
    return f"{text(row.get('RESPONSE'))} {text(row.get('RESPON'))}".strip()


def _number(name: str, setting: str, value: str, *, most: int) -> int:
    if not (value.isascii() and value.isdecimal() and int(value) <= most):
        raise SettingsError(f"LOKET_{name.upper()}_{setting.upper()} is not a whole number from 0 to {most}")
    return int(value)
