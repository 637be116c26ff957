"""The pretended permit office behind the sandbox: its tables, its numbering, its procedure. No HTTP here."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import msgspec

WIB = timezone(timedelta(hours=7))
IN_PROCESS = ("2", "5", "8")
REJECTED_STEP = "9"
ISSUED_STEP = "12"
COLLECT_STEP = "14"


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of one of the office's lists."""

    id: str
    name: str


class Permit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit type. `levy` None, a number or words, as over there."""

    id: str
    name: str
    group: str
    days: str
    valid_months: int
    number_prefix: str
    requirements: list[Named]
    legal_basis: list[Named]
    levy: str | None = None


class District(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A district with what it lies in and what lies in it."""

    id: str
    name: str
    province: Named
    city: Named
    villages: list[Named]


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the office has entered once: sandbox.toml."""

    kinds: list[Named]
    steps: list[Named]
    rejected: Named
    permits: list[Permit]
    districts: list[District]


class Registration(msgspec.Struct):
    """One registration. `form` holds the fields as they were sent."""

    id: int
    number: str
    running: int
    received: str
    permit: Permit
    kind: str
    form: Mapping[str, str]
    steps: list[str] = msgspec.field(default_factory=lambda: ["1"])
    licence_number: str = ""
    licence_date: str = ""
    valid_until: str = ""

    @property
    def provisional(self) -> bool:
        """Not taken on by an officer yet."""
        return self.steps[-1] == "1"


class Office:
    """All registrations, in the order in which they came."""

    def __init__(self) -> None:
        self.tables = _read_tables()
        self.permits = {permit.id: permit for permit in self.tables.permits}
        self.kinds = {kind.id for kind in self.tables.kinds}
        self.villages = {village.id for district in self.tables.districts for village in district.villages}
        self.step_names = {step.id: step.name for step in (*self.tables.steps, self.tables.rejected)}
        self._order = [step.id for step in self.tables.steps]
        self.registrations: list[Registration] = []
        self._by_number: dict[str, list[Registration]] = {}
        self._by_licence: dict[str, Registration] = {}

    def clear(self) -> None:
        self.registrations.clear()
        self._by_number.clear()
        self._by_licence.clear()

    def numbered(self, permit_id: str, kind_id: str) -> dict[str, object]:
        """A new registration's number and date: one more than the newest of the year."""
        today = datetime.now(UTC).astimezone(WIB).date()
        newest = self.registrations[-1] if self.registrations else None
        running = newest.running + 1 if newest and newest.received.startswith(str(today.year)) else 1
        number = f"{running:05d}{permit_id.zfill(3)}{kind_id.zfill(2)}{today:%m%Y}"
        return {"no_pendaftaran": number, "i_urut": running, "d_terima_berkas": today.isoformat()}

    def twin_of(self, one: Registration) -> dict[str, object]:
        """A stranger's registration that was made at the same moment, before the first could be seen."""
        form = {**one.form, "nama_pemohon": "Warga Loket", "no_telp": "081200009999", "no_refer": ""}
        return {"no_pendaftaran": one.number, "i_urut": one.running, "d_terima_berkas": one.received, "form": form}

    def enter(self, data: Mapping[str, object]) -> None:
        """Put a registration of the ledger into the tables."""
        form = msgspec.convert(data["form"], dict[str, str])
        number = str(data["no_pendaftaran"])
        entered = Registration(
            id=len(self.registrations) + 1,
            number=number,
            running=int(str(data["i_urut"])),
            received=str(data["d_terima_berkas"]),
            permit=self.permits[form["jenis_izin_id"]],
            kind=form["jenis_permohonan_id"],
            form=form,
        )
        self.registrations.append(entered)
        self._by_number.setdefault(number, []).append(entered)

    def bearing(self, number: str) -> Sequence[Registration]:
        """Registrations bearing a number: one, or several where two of one moment got the same."""
        return self._by_number.get(number, ())

    def licensed(self, licence_number: str) -> Registration | None:
        """The registration a licence was issued for.

        The public query joins the business and the business's village: without either, it finds no licence.
        """
        one = self._by_licence.get(licence_number)
        if one is None or not one.form.get("nama_perusahaan") or one.form.get("kelurahan_usaha") not in self.villages:
            return None
        return one

    def matters(self, reference: str | None) -> list[Registration]:
        """All, or those of a registration number or of a sender's reference. Raises KeyError for an unknown one."""
        if reference is None:
            return list(self.registrations)
        found = list(self.bearing(reference))
        found = found or [one for one in self.registrations if one.form.get("no_refer") == reference]
        if not found:
            raise KeyError(reference)
        return found

    def next_steps(self, one: Registration, step: str | None) -> list[str]:
        """The steps a registration goes through on its way to `step`, or the next one; none where it is at its end.

        Raises ValueError for a step that does not exist or lies behind it.
        """
        present = one.steps[-1]
        if step is not None and step not in (*self._order, REJECTED_STEP, "reject"):
            raise ValueError(f"no step {step!r}: one of {', '.join(self._order)}, reject, collide")
        if present == REJECTED_STEP or (step is None and present == self._order[-1]):
            return []
        if step in ("reject", REJECTED_STEP):
            return [REJECTED_STEP]
        behind = self._order.index(present) + 1
        end = behind + 1 if step is None else self._order.index(step) + 1
        if end <= behind:
            raise ValueError(f"registration {one.number} is at step {present} already")
        return self._order[behind:end]

    def licence_of(self, one: Registration) -> dict[str, str]:
        """Number and dates of the licence that is issued today."""
        today = datetime.now(UTC).astimezone(WIB).date()
        return {
            "no_surat": f"{one.permit.number_prefix}/{one.id:05d}/419.104/{today.year}",
            "tgl_surat": today.isoformat(),
            "d_berlaku_izin": _months_later(today, one.permit.valid_months).isoformat(),
        }

    def move(self, data: Mapping[str, object]) -> None:
        """Put a move of the ledger into the tables."""
        one = self.registrations[int(str(data["id"])) - 1]
        one.steps.extend(msgspec.convert(data["steps"], list[str]))
        licence = msgspec.convert(data.get("licence", {}), dict[str, str])
        if licence:
            one.licence_number = licence["no_surat"]
            one.licence_date, one.valid_until = licence["tgl_surat"], licence["d_berlaku_izin"]
            self._by_licence[one.licence_number] = one

    def to_come(self, one: Registration) -> list[str]:
        present = one.steps[-1]
        return self._order[self._order.index(present) + 1 :] if present in self._order else []

    def newest_first(self, wanted: Callable[[Registration], bool]) -> list[Registration]:
        return [one for one in reversed(self.registrations) if wanted(one)]


def _read_tables() -> Tables:
    raw = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text("utf-8"))
    return msgspec.convert(raw, Tables)


def _months_later(day: date, months: int) -> date:
    month = day.month - 1 + months
    return date(day.year + month // 12, month % 12 + 1, min(day.day, 28)) - timedelta(days=1)
