"""The pretended social agency behind the sandbox: its register, matters, visits and decisions. No HTTP here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec

from integrations.dtsen.households import FEW, START, Household, Member, Programme, beneficiaries, population

Kind = Literal["USUL", "SANGGAH", "KETERANGAN"]
STEPS = ("receive", "visit", "visited", "missed", "ask", "accept", "reject")
# The agency's procedures in order, by the kind of a matter, and which step of the officers' work ends each part.
TRACKS: Mapping[Kind, Sequence[tuple[str, str]]] = {
    "USUL": (
        ("DITERIMA", "Pengajuan diterima"),
        ("VERIFIKASI", "Pemeriksaan berkas"),
        ("KUNJUNGAN", "Kunjungan verifikasi ke rumah"),
        ("MUSYAWARAH", "Musyawarah kelurahan"),
        ("PUTUS", "Keputusan"),
    ),
    "SANGGAH": (
        ("DITERIMA", "Pengajuan diterima"),
        ("VERIFIKASI", "Pemeriksaan berkas"),
        ("KUNJUNGAN", "Kunjungan verifikasi ke rumah"),
        ("TELAAH", "Telaah hasil kunjungan"),
        ("PUTUS", "Keputusan"),
    ),
    "KETERANGAN": (
        ("DITERIMA", "Permohonan diterima"),
        ("VERIFIKASI", "Pemeriksaan data"),
        ("PUTUS", "Penerbitan surat keterangan"),
    ),
}
# How far along its track each step of the officers' work brings a matter.
_REACHES = {"receive": 1, "visit": 2, "visited": 3, "missed": 2}
_PERIODS_TOLD = 3
_REASONS = {
    ("USUL", "accept"): "Kondisi rumah dan penghasilan keluarga sesuai kriteria; keluarga dimasukkan ke daftar.",
    ("USUL", "reject"): "Penghasilan keluarga di atas batas kriteria menurut hasil kunjungan.",
    ("SANGGAH", "accept"): "Hasil kunjungan menunjukkan data lama tidak sesuai; data keluarga diperbaiki.",
    ("SANGGAH", "reject"): "Hasil kunjungan sesuai dengan data yang tercatat.",
    ("KETERANGAN", "accept"): "Data keluarga tercatat dan sesuai.",
    ("KETERANGAN", "reject"): "Desil keluarga belum ditentukan sehingga surat belum dapat diterbitkan.",
}


class Matter(msgspec.Struct):
    """One matter. `stage`: how many parts of its track are done; `sent`: what was handed in, without pictures."""

    number: str
    reference: str
    kind: Kind
    sent: Mapping[str, object]
    entered: datetime
    stage: int = 0
    times: dict[int, datetime] = {}
    visit: dict[str, object] | None = None
    question: str = ""
    outcome: dict[str, object] | None = None
    letter: dict[str, object] | None = None
    withdrawn: bool = False

    @property
    def is_open(self) -> bool:
        return self.outcome is None and not self.withdrawn

    @property
    def nik(self) -> str:
        return str(self.sent.get("nik_pemohon", ""))


class Office:
    """The register and all matters. Dates are the city's own: seven hours ahead of UTC."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.matters: dict[str, Matter] = {}
        self.references: dict[str, str] = {}
        self._changed: dict[str, Household] = {}
        self._by_nik: dict[str, Household] = {}
        self._by_card: dict[str, Household] = {}
        self.letters: dict[str, Matter] = {}
        self.resize(FEW)

    def resize(self, count: int) -> None:
        """Know so many households; those that decisions have changed stay as they were changed."""
        self._by_nik, self._by_card = {}, {}
        for household in (*population(count), *self._changed.values()):
            self._enter(household)

    def household(self, *, nik: str = "", family_card: str = "") -> Household | None:
        return self._by_nik.get(nik) or self._by_card.get(family_card)

    def programme(self, code: str) -> Programme | None:
        return next((each for each in START.programmes if each.code == code), None)

    def enter(self, matter: Matter) -> None:
        self.matters[matter.number] = matter
        self.references[matter.reference] = matter.number

    def next_number(self, kind: Kind, on: date) -> str:
        letter = {"USUL": "USL", "SANGGAH": "SGH", "KETERANGAN": "SKD"}[kind]
        return f"{letter}-{on:%Y}-{len(self.matters) + 1:06d}"

    def matter(self, reference: str) -> Matter:
        """By the agency's number or ours. Raises KeyError."""
        return self.matters[self.references.get(reference, reference)]

    def next_step(self, matter: Matter) -> str:
        """What the officers would do next."""
        if matter.kind == "KETERANGAN":
            return "receive" if matter.stage < 1 else "accept"
        return ("receive", "visit", "visited", "accept")[min(matter.stage, 3)]

    def move(self, matter: Matter, step: str, at: datetime) -> None:
        """One step of the officers' work. What lies before it is done with it."""
        reached = _REACHES.get(step, matter.stage)
        if step in ("accept", "reject"):
            self._decide(matter, step, at)
            reached = len(TRACKS[matter.kind])
        elif step in ("visit", "visited", "missed"):
            matter.visit = _visit(step, at.date(), matter.visit)
        elif step == "ask":
            matter.question = "Mohon lengkapi keterangan penghasilan keluarga."
        for stage in range(matter.stage, reached):
            matter.times[stage] = at
        matter.stage = max(matter.stage, reached)

    def _decide(self, matter: Matter, step: str, at: datetime) -> None:
        household = self.household(nik=matter.nik)
        if matter.kind == "KETERANGAN" and (household is None or household.decile is None):
            step = "reject"
        matter.question = ""
        matter.outcome = {
            "keputusan": "DITERIMA" if step == "accept" else "DITOLAK",
            "pejabat": START.office,
            "alasan": _REASONS[matter.kind, step],
            "tanggal": at.date(),
        }
        if step == "accept":
            self._carry_out(matter, household, at)

    def _carry_out(self, matter: Matter, household: Household | None, at: datetime) -> None:
        """What a decision in the citizen's favour changes in the register, or the letter that it is."""
        if matter.kind == "KETERANGAN" and household is not None:
            holder = next(each.name for each in household.members if each.nik == matter.nik)
            number = f"470/{len(self.letters) + 1:04d}/419.107/{at:%Y}"
            until = at.date() + timedelta(days=183)
            told = {"nama": holder, "desil": household.decile, "keperluan": matter.sent.get("keperluan", "")}
            matter.letter = {"nomor": number, **told, "tanggal_terbit": at.date(), "berlaku_sampai": until}
            self.letters[number] = matter
        elif matter.kind == "USUL" and household is None:
            self._change(_proposed(matter))
        elif household is not None and household.decile is not None and matter.sent.get("pokok") == "desil":
            self._change(msgspec.structs.replace(household, decile=max(1, household.decile - 1)))

    def _change(self, household: Household) -> None:
        self._changed[household.family_card] = household
        self._enter(household)

    def _enter(self, household: Household) -> None:
        self._by_card[household.family_card] = household
        for member in household.members:
            self._by_nik[member.nik] = household


def local_now() -> datetime:
    """The agency's own clock, without its zone, as it writes it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(hours=7)


def payments(household: Household, today: date) -> Iterator[dict[str, object]]:
    """What a household was and is paid, newest first within a programme: the present period and those before it."""
    for programme in START.programmes:
        if programme.code in household.programmes:
            for age, (begins, ends) in enumerate(_periods(programme.months, today)):
                yield _payment(programme, household, (begins, ends), age)


def _payment(programme: Programme, household: Household, period: tuple[date, date], age: int) -> dict[str, object]:
    """`age`: how many periods ago. The present one is under way; of those before, one in eight failed once."""
    begins, ends = period
    for_whom = beneficiaries(programme, household.members) if programme.for_each else ()
    failed = age == 2 and int(household.members[0].nik[-3:]) % 8 == 0 and programme.amount_idr is not None
    state = "GAGAL" if failed else "PROSES" if age == 0 and programme.amount_idr is not None else "SALUR"
    amount = None if programme.amount_idr is None else programme.amount_idr * max(len(for_whom), 1)
    return {
        "kode_program": programme.code,
        "periode": {"kode": f"{begins:%Y-%m}", "mulai": begins, "selesai": ends},
        "status": state,
        "nominal": amount,
        "tanggal_salur": begins + timedelta(days=18) if state == "SALUR" and amount is not None else None,
        "penyalur": programme.channel,
        "nik_penerima": [each.nik for each in for_whom],
        "dasar": f"Desil {household.decile}, {programme.name}",
        "keterangan": "Rekening penerima tidak aktif saat penyaluran." if failed else "",
    }


def _periods(months: int, today: date) -> Iterator[tuple[date, date]]:
    """The present period of so many months and those before it."""
    at = today.year * 12 + (today.month - 1) // months * months
    for first in range(at, at - _PERIODS_TOLD * months, -months):
        ends = _month(first + months) - timedelta(days=1)
        yield _month(first), ends


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _visit(step: str, today: date, planned: Mapping[str, object] | None) -> dict[str, object]:
    visit: dict[str, object] = {
        "petugas": START.visitor,
        "tanggal_rencana": (planned or {}).get("tanggal_rencana", today + timedelta(days=3)),
        "status": "DIRENCANAKAN",
    }
    if step == "visited":
        findings = "Rumah dikunjungi, penghuni ditemui, dan keterangan dicocokkan dengan keadaan rumah."
        return {**visit, "status": "SELESAI", "tanggal_selesai": today, "temuan": findings}
    return {**visit, "status": "TIDAK_BERTEMU"} if step == "missed" else visit


def _proposed(matter: Matter) -> Household:
    """A household of the one who proposed it: others are entered by the officers later."""
    nik, born = matter.nik, matter.nik[6:12]
    day = int(born[:2]) % 40
    year = int(born[4:]) + (1900 if int(born[4:]) > 30 else 2000)
    sex: Literal["L", "P"] = "P" if int(born[:2]) > 40 else "L"
    name = str(matter.sent.get("nama_pemohon", ""))
    return Household(
        family_card=f"{nik[:6]}{matter.entered:%d%m%y}{9990 + len(matter.number) % 9}",
        village_code=str(matter.sent.get("kode_kelurahan", "")),
        address=str(matter.sent.get("alamat", "")),
        rt=str(matter.sent.get("rt", "")),
        rw=str(matter.sent.get("rw", "")),
        decile=None,
        programmes=["PBI-JK"],
        members=[Member(nik, name, date(year, int(born[2:4]), day), sex, "KEPALA KELUARGA")],
    )
